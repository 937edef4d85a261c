package com.acme.order;

import com.acme.Output;
import com.acme.Service;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.Profile;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.stereotype.Component;
import tools.jackson.databind.json.JsonMapper;

/** Mode orders: publishes what comes on stdin. The key is the order's id. */
@Component
@Profile("orders")
class OrderService implements Service.Input {
    private final KafkaTemplate<Object, Object> template;
    private final Output output;
    private final String topic;

    OrderService(KafkaTemplate<Object, Object> template, Output output, @Value("${topic}") String topic) {
        this.template = template;
        this.output = output;
        this.topic = topic;
    }

    @Override
    public void line(String line) throws Exception {
        OrderCreated order = JsonMapper.shared().readValue(line, OrderCreated.class);
        var sent = template.send(topic, order.orderId(), order).get();
        RecordMetadata at = sent.getRecordMetadata();
        output.print("sent", order, "topic", at.topic(), "partition", at.partition(), "offset", at.offset());
    }
}
