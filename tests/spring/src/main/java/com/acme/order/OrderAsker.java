package com.acme.order;

import com.acme.Output;
import com.acme.Service;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Profile;
import org.springframework.kafka.core.ConsumerFactory;
import org.springframework.kafka.core.ProducerFactory;
import org.springframework.kafka.listener.ContainerProperties;
import org.springframework.kafka.listener.KafkaMessageListenerContainer;
import org.springframework.kafka.requestreply.KafkaReplyTimeoutException;
import org.springframework.kafka.requestreply.ReplyingKafkaTemplate;
import tools.jackson.databind.json.JsonMapper;

/** Mode ask: each order of stdin is a request, and what comes back is printed. */
@Configuration
@Profile("ask")
class OrderAsker {
    @Bean
    ReplyingKafkaTemplate<Object, Object, Object> asking(
            ProducerFactory<Object, Object> producers,
            ConsumerFactory<Object, Object> consumers,
            @Value("${replies}") String replies) {
        var container = new KafkaMessageListenerContainer<>(consumers, new ContainerProperties(replies));
        return new ReplyingKafkaTemplate<>(producers, container);
    }

    @Bean
    Service.Input input(
            ReplyingKafkaTemplate<Object, Object, Object> asking,
            Output output,
            @Value("${topic}") String topic,
            @Value("${timeout:10000}") long timeout) {
        return line -> {
            OrderCreated order = JsonMapper.shared().readValue(line, OrderCreated.class);
            if (!asking.waitForAssignment(Duration.ofSeconds(30))) throw new IllegalStateException("no replies' partition");
            var request = new ProducerRecord<Object, Object>(topic, order.orderId(), order);
            try {
                ConsumerRecord<Object, Object> reply = asking.sendAndReceive(request, Duration.ofMillis(timeout)).get();
                Map<String, Object> printed = Output.of("ask", reply.value(), reply);
                printed.put("asked", order);
                output.print(printed);
            } catch (ExecutionException error) {
                boolean late = error.getCause() instanceof KafkaReplyTimeoutException;
                output.print("asked", order, late ? "timeout" : "error", late ? timeout : error.getCause().toString());
            }
        };
    }
}
