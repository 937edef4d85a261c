#!/usr/bin/env bash
# Real Kafka (KRaft) from Maven artifacts: one or three nodes on loopback, with every listener a client can meet.
#
#   kafka.sh up | down            fetch the jars once (45 MB, about 20 s), make certificates, start all nodes and wait | stop them all
#   kafka.sh start|stop|kill|pause|resume NODE      start waits until the node listens; stop and kill wait until it is gone
#   kafka.sh pid NODE             the process id of a node that runs; fails if it does not
#   kafka.sh run CLASS|FILE.java ARGS...    a program with Kafka's classes, e.g. org.apache.kafka.tools.TopicCommand --bootstrap-server localhost:29012 --list
#   kafka.sh clean                delete data and logs (keeps jars and certificates)
#
# Environment: NODES=1|3 (1)  KAFKA_DIR=where everything lives (.kafka beside this file)  BASE_PORT (29000)
#              HEAP (768m for one node, 448m each for three)
# Ports of node i, from BASE_PORT + 10*i: +2 PLAINTEXT  +3 controller  +4 SSL  +5 SASL_PLAINTEXT  +6 SASL_SSL
#   +7 PROXIED: plaintext, but the node tells its clients that this listener is at +8. A test's proxy listens at +8 and
#   forwards to +7, so that a client which starts at +8 stays on the proxies. Nothing listens at +8 by itself.
# TLS: $KAFKA_DIR/tls/{ca.pem,client.crt,client.p8,client.pem}; client certificates are requested, not required, on +4.
# SASL: user alice, password alice-secret, with PLAIN, SCRAM-SHA-256, SCRAM-SHA-512; OAUTHBEARER with unsecured tokens.
set -euo pipefail
HERE=$(cd "$(dirname "$0")" && pwd)
NODES=${NODES:-1}
BASE_PORT=${BASE_PORT:-29000}
DIR=${KAFKA_DIR:-$HERE/.kafka}; mkdir -p "$DIR"; DIR=$(cd "$DIR" && pwd)
if [ "$NODES" = 1 ]; then HEAP=${HEAP:-768m} REPLICAS=1 MIN_ISR=1; else HEAP=${HEAP:-448m} REPLICAS=3 MIN_ISR=2; fi

port() { echo $((BASE_PORT + 10 * $1 + $2)); }

jvm() { # heap class args...
  local heap=$1; shift
  exec java "-Xms$heap" "-Xmx$heap" -XX:+UseSerialGC -XX:ActiveProcessorCount=2 -XX:+ExitOnOutOfMemoryError -Djava.awt.headless=true \
    -Dkafka.logs.dir="$DIR/logs" -Dlog4j2.configurationFile="$DIR/log4j2.properties" -cp "$DIR/libs/*" "$@"
}

jars() {
  [ -f "$DIR/libs/.complete" ] && return
  mvn -q -B -f "$HERE/pom.xml" org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$DIR/libs" >&2
  touch "$DIR/libs/.complete"
}

certificates() {
  [ -f "$DIR/tls/client.pem" ] && return
  mkdir -p "$DIR/tls"; ( cd "$DIR/tls"
    openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=test-ca -keyout ca.key -out ca.pem 2>/dev/null
    for n in server client; do
      openssl req -newkey rsa:2048 -nodes -subj /CN=$n -keyout $n.key -out $n.csr 2>/dev/null
      openssl x509 -req -in $n.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -out $n.crt \
        -extfile <(printf 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\nextendedKeyUsage=serverAuth,clientAuth\n') 2>/dev/null
      openssl pkcs8 -topk8 -nocrypt -in $n.key -out $n.p8
      cat $n.p8 $n.crt ca.pem > $n.pem
    done )
}

log_config() {
  printf '%s\n' 'status=warn' 'appender.c.type=Console' 'appender.c.name=c' 'appender.c.target=SYSTEM_ERR' 'appender.c.layout.type=PatternLayout' \
    'appender.c.layout.pattern=[%d] %p %m (%c)%n' 'rootLogger.level=warn' 'rootLogger.appenderRef.c.ref=c' > "$DIR/log4j2.properties"
}

node_config() { # node
  local i=$1 voters= j l
  for j in $(seq "$NODES"); do voters+="${voters:+,}$j@localhost:$(port "$j" 3)"; done
  cat > "$DIR/node$i.properties" <<P
process.roles=broker,controller
node.id=$i
broker.rack=rack$i
controller.quorum.voters=$voters
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listeners=PLAINTEXT://localhost:$(port $i 2),CONTROLLER://localhost:$(port $i 3),SSL://localhost:$(port $i 4),SASL_PLAINTEXT://localhost:$(port $i 5),SASL_SSL://localhost:$(port $i 6),PROXIED://localhost:$(port $i 7)
advertised.listeners=PLAINTEXT://localhost:$(port $i 2),SSL://localhost:$(port $i 4),SASL_PLAINTEXT://localhost:$(port $i 5),SASL_SSL://localhost:$(port $i 6),PROXIED://localhost:$(port $i 8)
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL,PROXIED:PLAINTEXT
log.dirs=$DIR/data$i
num.network.threads=2
num.io.threads=4
background.threads=4
num.partitions=3
auto.create.topics.enable=false
default.replication.factor=$REPLICAS
min.insync.replicas=$MIN_ISR
offsets.topic.num.partitions=4
offsets.topic.replication.factor=$REPLICAS
transaction.state.log.num.partitions=4
transaction.state.log.replication.factor=$REPLICAS
transaction.state.log.min.isr=$MIN_ISR
share.coordinator.state.topic.num.partitions=4
share.coordinator.state.topic.replication.factor=$REPLICAS
share.coordinator.state.topic.min.isr=$MIN_ISR
log.cleaner.dedupe.buffer.size=16777216
# short times, so that tests are quick
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
group.consumer.min.session.timeout.ms=3000
group.consumer.session.timeout.ms=6000
group.consumer.min.heartbeat.interval.ms=500
group.consumer.heartbeat.interval.ms=1000
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
replica.lag.time.max.ms=3000
replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector
# security
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:admin
allow.everyone.if.no.acl.found=true
ssl.keystore.type=PEM
ssl.keystore.location=$DIR/tls/server.pem
ssl.truststore.type=PEM
ssl.truststore.location=$DIR/tls/ca.pem
ssl.client.auth=requested
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER
P
  for l in sasl_plaintext sasl_ssl; do cat >> "$DIR/node$i.properties" <<P
listener.name.$l.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_alice="alice-secret";
listener.name.$l.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.$l.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.$l.oauthbearer.sasl.jaas.config=org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";
P
  done
}

# The process id of a node that runs. A pid file alone proves nothing: the id may have gone to another process since.
pid_of() { # node
  local pid
  pid=$(cat "$DIR/node$1.pid" 2>/dev/null) || return 1
  case $(ps -o stat= -o args= -p "$pid" 2>/dev/null) in Z*) return 1 ;; *"$DIR/node$1.properties"*) echo "$pid" ;; *) return 1 ;; esac
}

start_node() { # node
  local i=$1
  if pid_of "$i" >/dev/null; then return; fi
  mkdir -p "$DIR/logs"; node_config "$i"
  [ -f "$DIR/data$i/meta.properties" ] || (jvm 128m kafka.tools.StorageTool format -t MkU3OEVBNTcwNTJENDM2Qk -c "$DIR/node$i.properties" --ignore-formatted \
    --add-scram 'SCRAM-SHA-256=[name=alice,password=alice-secret]' --add-scram 'SCRAM-SHA-512=[name=alice,password=alice-secret]') > "$DIR/logs/format$i.log" 2>&1
  (jvm "$HEAP" kafka.Kafka "$DIR/node$i.properties") >> "$DIR/logs/node$i.log" 2>&1 &
  echo $! > "$DIR/node$i.pid"
}

wait_for() { # node
  for _ in $(seq 240); do
    (echo > "/dev/tcp/localhost/$(port "$1" 2)") 2>/dev/null && return
    pid_of "$1" >/dev/null || break
    sleep .25
  done
  echo "node $1 did not start:" >&2; tail -20 "$DIR/logs/node$1.log" >&2; return 1
}

# A listening node may still be fenced for a moment; topics with a replica on each node need them all.
wait_for_cluster() {
  local registered=
  for _ in $(seq 20); do
    registered=$( (jvm 128m org.apache.kafka.tools.ClusterTool list-endpoints --bootstrap-server "localhost:$(port 1 2)") 2>/dev/null | grep -c localhost) || true
    [ "$registered" = "$NODES" ] && return
    sleep .25
  done
  echo "${registered:-0} of $NODES nodes take part" >&2; return 1
}

signal() { # node signal
  local pid
  if pid=$(pid_of "$1"); then kill "-$2" "$pid" 2>/dev/null || true; fi
}

gone() { # node; whether it is gone within 15 s
  for _ in $(seq 150); do
    pid_of "$1" >/dev/null || { rm -f "$DIR/node$1.pid"; return 0; }
    sleep .1
  done
  return 1
}

running() { # the nodes with a pid file, whatever NODES says
  local file
  for file in "$DIR"/node*.pid; do [ -e "$file" ] && basename "$file" .pid | tr -d a-z; done
  return 0
}

case ${1:?usage: see the head of this file} in
  up)
    jars; certificates; log_config
    for i in $(seq "$NODES"); do start_node "$i"; done
    for i in $(seq "$NODES"); do wait_for "$i"; done
    wait_for_cluster
    seq "$NODES" | while read -r i; do echo "localhost:$(port "$i" 2)"; done | paste -sd, - ;;
  down)
    for i in $(running); do signal "$i" CONT; signal "$i" TERM; done
    for i in $(running); do gone "$i" || { signal "$i" KILL; gone "$i"; }; done ;;
  start) start_node "${2:?node}"; wait_for "$2" ;;
  stop) signal "${2:?node}" CONT; signal "$2" TERM; gone "$2" || { echo "node $2 does not stop" >&2; exit 1; } ;;
  kill) signal "${2:?node}" KILL; gone "$2" ;;
  pause) signal "${2:?node}" STOP ;;
  resume) signal "${2:?node}" CONT ;;
  pid) pid_of "${2:?node}" ;;
  run) shift; jars; [ -f "$DIR/log4j2.properties" ] || log_config; jvm 256m "$@" ;;
  clean)
    for i in $(running); do if pid_of "$i" >/dev/null; then echo "node $i runs; down first" >&2; exit 1; fi; done
    rm -rf "$DIR"/data* "$DIR"/logs ;;
  *) echo "unknown command: $1" >&2; exit 2 ;;
esac
