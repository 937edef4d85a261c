package com.acme.product;

import com.acme.Output;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.springframework.context.annotation.Profile;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.messaging.handler.annotation.Payload;
import org.springframework.messaging.handler.annotation.SendTo;
import org.springframework.stereotype.Component;

/** Mode answer: the reply goes where the request says. */
@Component
@Profile("answer")
class StockAnswerer {
    private final Output output;

    StockAnswerer(Output output) {
        this.output = output;
    }

    @KafkaListener(topics = "${topic}")
    @SendTo
    StockReserved on(@Payload OrderCreated order, ConsumerRecord<?, ?> record) {
        output.record("answer", order, record);
        return order.reserve();
    }
}
