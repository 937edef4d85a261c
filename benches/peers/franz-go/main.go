// Measures franz-go: produce, consume, latency. The options are those of the other programs beside it.
package main

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// The settings that every client gets; docs/benchmarks.md lists them.
const (
	bufferBytes         = 64 << 20
	fetchMaxBytes       = 50 << 20
	partitionFetchBytes = 1 << 20
	fetchWait           = 500 * time.Millisecond
)

type options struct {
	brokers, topic, codec                     string
	count, size, lingerMs, batchBytes, warmUp int
	keyed                                     bool
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) < 2 {
		return errors.New("a command is missing")
	}
	var o options
	flags := flag.NewFlagSet(os.Args[1], flag.ContinueOnError)
	flags.StringVar(&o.brokers, "brokers", "", "")
	flags.StringVar(&o.topic, "topic", "", "")
	flags.StringVar(&o.codec, "codec", "none", "")
	flags.IntVar(&o.count, "count", 0, "")
	flags.IntVar(&o.size, "size", 100, "")
	flags.IntVar(&o.lingerMs, "linger-ms", 5, "")
	flags.IntVar(&o.batchBytes, "batch-bytes", 1_000_000, "")
	flags.IntVar(&o.warmUp, "warm-up", 0, "")
	flags.BoolVar(&o.keyed, "keyed", false, "")
	if err := flags.Parse(os.Args[2:]); err != nil {
		return err
	}
	commands := map[string]func(options) (map[string]any, error){"produce": produce, "consume": consume, "latency": latency}
	command, known := commands[os.Args[1]]
	if !known {
		return fmt.Errorf("unknown command %s", os.Args[1])
	}
	report, err := command(o)
	if err != nil {
		return err
	}
	if peak, err := peakMB(); err == nil {
		report["peak_mb"] = peak
	}
	return json.NewEncoder(os.Stdout).Encode(report)
}

// peakMB is the most memory that this process had at once.
func peakMB() (float64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	var kib float64
	_, line, _ := strings.Cut(string(status), "VmHWM:")
	_, err = fmt.Sscan(line, &kib)
	return kib / 1024, err
}

// values are slices of random bytes, no two of which overlap within a batch.
type values struct {
	noise []byte
	size  int
}

const noiseBytes = 2 << 20

func newValues(size int) values {
	noise := make([]byte, noiseBytes+size+8)
	random := rand.NewPCG(1, 2)
	for i := 0; i < noiseBytes+size; i += 8 {
		binary.BigEndian.PutUint64(noise[i:], random.Uint64())
	}
	return values{noise, size}
}

func (v values) of(number int) []byte {
	start := number * v.size % noiseBytes
	return v.noise[start : start+v.size]
}

func producer(o options) (*kgo.Client, error) {
	codec := kgo.NoCompression()
	if o.codec == "lz4" {
		codec = kgo.Lz4Compression()
	}
	// Idempotent, with five requests in flight to a broker: its defaults.
	return kgo.NewClient(
		kgo.SeedBrokers(strings.Split(o.brokers, ",")...),
		kgo.DefaultProduceTopic(o.topic),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(time.Duration(o.lingerMs)*time.Millisecond),
		kgo.ProducerBatchMaxBytes(int32(o.batchBytes)),
		kgo.MaxBufferedBytes(bufferBytes),
		kgo.MaxBufferedRecords(10_000_000),
		// Its default partitioner, but that a partition gets a batch, and not 64 KiB, before it is the next one's turn.
		kgo.RecordPartitioner(kgo.UniformBytesPartitioner(o.batchBytes, true, true, nil)),
		kgo.ProducerBatchCompression(codec),
	)
}

func produce(o options) (map[string]any, error) {
	values := newValues(o.size)
	client, err := producer(o)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var failed atomic.Pointer[error]
	promise := func(_ *kgo.Record, err error) {
		if err != nil {
			failed.Store(&err)
		}
	}
	ctx := context.Background()
	started := time.Now()
	for number := range o.count {
		record := &kgo.Record{Value: values.of(number)}
		if o.keyed {
			record.Key = binary.BigEndian.AppendUint64(nil, uint64(number))
		}
		client.Produce(ctx, record, promise)
	}
	if err := client.Flush(ctx); err != nil {
		return nil, err
	}
	seconds := time.Since(started).Seconds()
	if err := failed.Load(); err != nil {
		return nil, *err
	}
	size := o.size
	if o.keyed {
		size += 8
	}
	return map[string]any{"records": o.count, "seconds": seconds, "bytes": o.count * size}, nil
}

func consume(o options) (map[string]any, error) {
	started := time.Now()
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(o.brokers, ",")...),
		// Without a group: all partitions.
		kgo.ConsumeTopics(o.topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMinBytes(1),
		kgo.FetchMaxWait(fetchWait),
		kgo.FetchMaxBytes(fetchMaxBytes),
		kgo.FetchMaxPartitionBytes(partitionFetchBytes),
	)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	records, bytes := 0, 0
	var ends []int64
	for records < o.count {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, err
		}
		fetches.EachPartition(func(partition kgo.FetchTopicPartition) {
			for int(partition.Partition) >= len(ends) {
				ends = append(ends, 0)
			}
			for _, record := range partition.Records {
				records++
				bytes += len(record.Key) + len(record.Value)
				ends[partition.Partition] = record.Offset + 1
			}
		})
	}
	seconds := time.Since(started).Seconds()
	var sum int64
	for _, end := range ends {
		sum += end
	}
	return map[string]any{"records": records, "seconds": seconds, "bytes": bytes, "ends": sum}, nil
}

func latency(o options) (map[string]any, error) {
	values := newValues(o.size)
	client, err := producer(o)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ctx := context.Background()
	each := make([]time.Duration, 0, o.count)
	for number := range o.warmUp + o.count {
		sent := time.Now()
		if err := client.ProduceSync(ctx, &kgo.Record{Value: values.of(number)}).FirstErr(); err != nil {
			return nil, err
		}
		if number >= o.warmUp {
			each = append(each, time.Since(sent))
		}
	}
	slices.Sort(each)
	micros := func(q float64) float64 {
		return float64(each[int(float64(len(each)-1)*q)].Nanoseconds()) / 1e3
	}
	return map[string]any{"records": len(each), "p50_us": micros(0.5), "p99_us": micros(0.99)}, nil
}
