// franz-go: PROGRAM BOOTSTRAP PREFIX. What ../checks.py says of the Python clients holds here too.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Time for whatever a check waits for.
const patience = 30 * time.Second

var (
	servers []string
	prefix  string
	admin   *kadm.Client
)

func main() {
	servers, prefix = strings.Split(os.Args[1], ","), os.Args[2]
	admin = kadm.NewClient(must(kgo.NewClient(kgo.SeedBrokers(servers...))))
	checks := []struct {
		name  string
		check func(context.Context)
	}{
		{"codecs", codecs},
		{"idempotent", idempotent},
		{"range", func(ctx context.Context) { sharedBy(ctx, kgo.RangeBalancer()) }},
		{"cooperative-sticky", func(ctx context.Context) { sharedBy(ctx, kgo.CooperativeStickyBalancer()) }},
		{"resumes", resumes},
		{"times", times},
		{"configs", configs},
		{"partitions", partitions},
		{"deletions", deletions},
		{"unknown-topic", unknownTopic},
	}
	status := 0
	for _, c := range checks {
		if err := run(c.check); err != nil {
			status = 1
			fmt.Printf("FAILED %s: %v\n", c.name, err)
		} else {
			fmt.Printf("ok %s\n", c.name)
		}
	}
	os.Exit(status)
}

// A check panics where it fails.
func run(check func(context.Context)) (err error) {
	defer func() {
		if failure := recover(); failure != nil {
			err = fmt.Errorf("%v", failure)
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	check(ctx)
	return nil
}

func must[T any](value T, err error) T {
	ok(err)
	return value
}

func ok(err error) {
	if err != nil {
		panic(err)
	}
}

func equal(found, wanted any, what string) {
	if fmt.Sprint(found) != fmt.Sprint(wanted) {
		panic(fmt.Sprintf("%s: %v where %v was expected", what, found, wanted))
	}
}

func eventually(ctx context.Context, what string, condition func() bool) {
	for !condition() {
		select {
		case <-ctx.Done():
			panic(fmt.Sprintf("not within %v: %s", patience, what))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func name(what string) string { return prefix + "-franz-go-" + what }

func numbers(from, to int) (values []string) {
	for n := from; n < to; n++ {
		values = append(values, strconv.Itoa(n))
	}
	return values
}

func client(options ...kgo.Opt) *kgo.Client {
	common := []kgo.Opt{kgo.SeedBrokers(servers...), kgo.FetchMaxWait(100 * time.Millisecond)}
	return must(kgo.NewClient(append(common, options...)...))
}

func create(ctx context.Context, topic string, partitions int32) {
	must(admin.CreateTopic(ctx, partitions, 1, nil, topic))
}

func produce(ctx context.Context, records []*kgo.Record, options ...kgo.Opt) {
	producer := client(options...)
	defer producer.Close()
	ok(producer.ProduceSync(ctx, records...).FirstErr())
}

func records(topic string, values []string) (records []*kgo.Record) {
	for _, value := range values {
		records = append(records, &kgo.Record{Topic: topic, Key: []byte(value), Value: []byte(value)})
	}
	return records
}

func read(ctx context.Context, reader *kgo.Client, count int) (values []string) {
	for len(values) < count {
		fetches := reader.PollRecords(ctx, count-len(values))
		ok(fetches.Err())
		fetches.EachRecord(func(record *kgo.Record) { values = append(values, string(record.Value)) })
	}
	return values
}

func readAll(ctx context.Context, topic string, count int) []string {
	reader := client(kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer reader.Close()
	return read(ctx, reader, count)
}

func sorted(values []string) []string {
	slices.SortFunc(values, func(a, b string) int { return must(strconv.Atoi(a)) - must(strconv.Atoi(b)) })
	return values
}

func codecs(ctx context.Context) {
	topic := name("codecs")
	create(ctx, topic, 1)
	var wanted []string
	for _, codec := range []kgo.CompressionCodec{
		kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression(),
	} {
		values := numbers(len(wanted), len(wanted)+500)
		produce(ctx, records(topic, values), kgo.ProducerBatchCompression(codec), kgo.DisableIdempotentWrite())
		wanted = append(wanted, values...)
	}
	equal(readAll(ctx, topic, len(wanted)), wanted, "what was read")
}

func idempotent(ctx context.Context) {
	topic := name("idempotent")
	create(ctx, topic, 3)
	produce(ctx, records(topic, numbers(0, 3000)))
	equal(sorted(readAll(ctx, topic, 3000)), numbers(0, 3000), "what was read")
}

// A member of a group, and what it owns and has read.
type member struct {
	sync.Mutex
	owned  int
	values []string
}

func (m *member) run(ctx context.Context, group, topic string, balancer kgo.GroupBalancer) {
	change := func(sign int) func(context.Context, *kgo.Client, map[string][]int32) {
		return func(_ context.Context, _ *kgo.Client, partitions map[string][]int32) {
			m.Lock()
			defer m.Unlock()
			m.owned += sign * len(partitions[topic])
		}
	}
	reader := client(
		kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.Balancers(balancer), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.HeartbeatInterval(500*time.Millisecond), kgo.OnPartitionsAssigned(change(1)), kgo.OnPartitionsRevoked(change(-1)),
		kgo.OnPartitionsLost(change(-1)),
	)
	defer reader.Close()
	for ctx.Err() == nil {
		reader.PollFetches(ctx).EachRecord(func(record *kgo.Record) {
			m.Lock()
			defer m.Unlock()
			m.values = append(m.values, string(record.Value))
		})
	}
}

// Two members: each owns half, and all is read once.
func sharedBy(ctx context.Context, balancer kgo.GroupBalancer) {
	topic, group := name(balancer.ProtocolName()), name("group-"+balancer.ProtocolName())
	create(ctx, topic, 4)
	produce(ctx, records(topic, numbers(0, 400)))
	var members [2]member
	var done sync.WaitGroup
	running, stop := context.WithCancel(ctx)
	defer done.Wait()
	defer stop()
	for at := range members {
		done.Go(func() { members[at].run(running, group, topic, balancer) })
	}
	all := func(what func(*member) bool) func() bool {
		return func() bool {
			for at := range members {
				members[at].Lock()
				good := what(&members[at])
				members[at].Unlock()
				if !good {
					return false
				}
			}
			return true
		}
	}
	eventually(ctx, "each of the two owns half", all(func(m *member) bool { return m.owned == 2 }))
	eventually(ctx, "all is read", func() bool {
		read := map[string]bool{}
		all(func(m *member) bool {
			for _, value := range m.values {
				read[value] = true
			}
			return true
		})()
		return len(read) == 400
	})
	found := must(admin.DescribeGroups(ctx, group))[group]
	ok(found.Err)
	equal([]any{found.State, found.Protocol, len(found.Members)}, []any{"Stable", balancer.ProtocolName(), 2}, "the group")
	if _, listed := must(admin.ListGroups(ctx))[group]; !listed {
		panic("it is not listed")
	}
}

func resumes(ctx context.Context) {
	topic, group := name("resumes"), name("group-resumes")
	create(ctx, topic, 1)
	produce(ctx, records(topic, numbers(0, 10)))
	of := func() *kgo.Client {
		return client(kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.DisableAutoCommit())
	}
	first := of()
	equal(read(ctx, first, 4), numbers(0, 4), "what was read first")
	ok(first.CommitUncommittedOffsets(ctx))
	first.Close()
	second := of()
	equal(read(ctx, second, 6), numbers(4, 10), "what was read behind the commit")
	second.Close()
	committed, found := must(admin.FetchOffsets(ctx, group)).Lookup(topic, 0)
	equal([]any{found, committed.At}, []any{true, 4}, "what the admin sees committed")
	eventually(ctx, "it is empty", func() bool { return must(admin.DescribeGroups(ctx, group))[group].State == "Empty" })
	must(admin.DeleteGroup(ctx, group))
}

func times(ctx context.Context) {
	topic := name("times")
	create(ctx, topic, 1)
	now := time.Now().Add(-100 * time.Second).UnixMilli()
	for n, record := range records(topic, numbers(0, 5)) {
		record.Timestamp = time.UnixMilli(now + int64(1000*n))
		produce(ctx, []*kgo.Record{record})
	}
	var found []int64
	for _, at := range []int64{0, 1500, 4000} {
		listed := must(admin.ListOffsetsAfterMilli(ctx, now+at, topic))[topic][0]
		ok(listed.Err)
		found = append(found, listed.Offset)
	}
	// Beyond the last, kadm asks for the end.
	beyond, start, end := must(admin.ListOffsetsAfterMilli(ctx, now+9999, topic)), must(admin.ListStartOffsets(ctx, topic)), must(admin.ListEndOffsets(ctx, topic))
	found = append(found, beyond[topic][0].Offset, start[topic][0].Offset, end[topic][0].Offset)
	equal(found, []int64{0, 2, 4, 5, 0, 5}, "offsets by time, beyond the last, and the ends")
}

func configs(ctx context.Context) {
	topic, retention := name("configs"), "12345"
	must(admin.CreateTopic(ctx, 1, 1, map[string]*string{"retention.ms": &retention}, topic))
	described := func() map[string]string {
		resource := must(must(admin.DescribeTopicConfigs(ctx, topic)).On(topic, nil))
		found := map[string]string{}
		// Each broker learns of a topic by itself.
		if !errors.Is(resource.Err, kerr.UnknownTopicOrPartition) {
			ok(resource.Err)
		}
		for _, config := range resource.Configs {
			found[config.Key] = config.MaybeValue()
		}
		return found
	}
	eventually(ctx, "retention.ms as created", func() bool { return described()["retention.ms"] == "12345" })
	equal(described()["max.message.bytes"], "1048588", "max.message.bytes")
	altered := "54321"
	for _, answer := range must(admin.AlterTopicConfigs(ctx, []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms", Value: &altered}}, topic)) {
		ok(answer.Err)
	}
	eventually(ctx, "retention.ms as altered", func() bool { return described()["retention.ms"] == "54321" })
}

func partitions(ctx context.Context) {
	topic := name("partitions")
	create(ctx, topic, 1)
	for _, answer := range must(admin.UpdatePartitions(ctx, 3, topic)) {
		ok(answer.Err)
	}
	eventually(ctx, "three partitions", func() bool { return len(must(admin.ListTopics(ctx, topic))[topic].Partitions) == 3 })
	made := records(topic, numbers(0, 3))
	for n := range made {
		made[n].Partition = int32(n)
	}
	produce(ctx, made, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	equal(sorted(readAll(ctx, topic, 3)), numbers(0, 3), "what was read")
}

func deletions(ctx context.Context) {
	topic := name("deletions")
	create(ctx, topic, 1)
	produce(ctx, records(topic, numbers(0, 10)))
	offsets := kadm.Offsets{}
	offsets.AddOffset(topic, 0, 6, -1)
	deleted := must(admin.DeleteRecords(ctx, offsets))[topic][0]
	ok(deleted.Err)
	equal(deleted.LowWatermark, 6, "the log's start")
	equal(readAll(ctx, topic, 4), numbers(6, 10), "what is left")
	must(admin.DeleteTopic(ctx, topic))
	eventually(ctx, "the topic is gone", func() bool { return !must(admin.ListTopics(ctx)).Has(topic) })
}

func unknownTopic(ctx context.Context) {
	topic := name("unknown")
	_, err := admin.DeleteTopic(ctx, topic)
	expectUnknown(err, "its deletion")
	producer := client(kgo.UnknownTopicRetries(1))
	defer producer.Close()
	expectUnknown(producer.ProduceSync(ctx, records(topic, numbers(0, 1))...).FirstErr(), "its record")
}

func expectUnknown(err error, what string) {
	if !errors.Is(err, kerr.UnknownTopicOrPartition) {
		panic(fmt.Sprintf("%s: %v where UNKNOWN_TOPIC_OR_PARTITION was expected", what, err))
	}
}
