package com.acme.product;

import com.acme.Output;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.springframework.context.annotation.Profile;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.messaging.handler.annotation.Payload;
import org.springframework.stereotype.Component;

/** Mode trap: no ErrorHandlingDeserializer (see application.yml) and no error handler of its own, as after the first tutorial. */
@Component
@Profile("trap")
class TrappedService {
    private final Output output;

    TrappedService(Output output) {
        this.output = output;
    }

    @KafkaListener(topics = "${topic}")
    void on(@Payload(required = false) OrderCreated order, ConsumerRecord<?, ?> record) {
        output.record("trap", order, record);
    }
}
