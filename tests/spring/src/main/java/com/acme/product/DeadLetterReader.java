package com.acme.product;

import com.acme.Output;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.springframework.context.annotation.Profile;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.support.KafkaHeaders;
import org.springframework.messaging.handler.annotation.Header;
import org.springframework.stereotype.Component;

/** Mode letters: what the headers of dead letters say, as Spring's own names and conversions have it. The values are text. */
@Component
@Profile("letters")
class DeadLetterReader {
    private final Output output;

    DeadLetterReader(Output output) {
        this.output = output;
    }

    @KafkaListener(topics = "${topic}")
    void on(
            ConsumerRecord<?, ?> record,
            @Header(name = KafkaHeaders.DLT_ORIGINAL_TOPIC, required = false) String topic,
            @Header(name = KafkaHeaders.DLT_ORIGINAL_PARTITION, required = false) Integer partition,
            @Header(name = KafkaHeaders.DLT_ORIGINAL_OFFSET, required = false) Long offset,
            @Header(name = KafkaHeaders.DLT_ORIGINAL_TIMESTAMP, required = false) Long timestamp,
            @Header(name = KafkaHeaders.DLT_ORIGINAL_TIMESTAMP_TYPE, required = false) String timestampType,
            @Header(name = KafkaHeaders.DLT_ORIGINAL_CONSUMER_GROUP, required = false) String group,
            @Header(name = KafkaHeaders.DLT_EXCEPTION_FQCN, required = false) String error,
            @Header(name = KafkaHeaders.DLT_EXCEPTION_CAUSE_FQCN, required = false) String cause,
            @Header(name = KafkaHeaders.DLT_EXCEPTION_MESSAGE, required = false) String message,
            @Header(name = KafkaHeaders.DLT_EXCEPTION_STACKTRACE, required = false) String stackTrace) {
        Map<String, Object> printed = Output.of("letters", record.value(), record);
        printed.put("originalTopic", topic);
        printed.put("originalPartition", partition);
        printed.put("originalOffset", offset);
        printed.put("originalTimestamp", timestamp);
        printed.put("originalTimestampType", timestampType);
        printed.put("originalGroup", group);
        printed.put("error", error);
        printed.put("cause", cause);
        printed.put("message", message);
        printed.put("stackTrace", stackTrace);
        output.print(printed);
    }
}
