package com.acme.product;

import com.acme.Output;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Profile;
import org.springframework.kafka.annotation.BackOff;
import org.springframework.kafka.annotation.DltHandler;
import org.springframework.kafka.annotation.EnableKafkaRetryTopic;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.annotation.RetryableTopic;
import org.springframework.kafka.retrytopic.RetryTopicHeaders;
import org.springframework.messaging.handler.annotation.Header;
import org.springframework.messaging.handler.annotation.Payload;
import org.springframework.scheduling.TaskScheduler;
import org.springframework.scheduling.concurrent.ThreadPoolTaskScheduler;

/** Mode retry: three attempts over retry topics, then a dead letter. An order of the quantity -1 fails once, of -2 twice. */
@Configuration
@EnableKafkaRetryTopic
@Profile("retry")
class RetryingService {
    private final Output output;

    RetryingService(Output output) {
        this.output = output;
    }

    /** Spring waits with it until a retry is due. */
    @Bean
    static TaskScheduler scheduler() {
        return new ThreadPoolTaskScheduler();
    }

    @RetryableTopic(attempts = "3", backOff = @BackOff(delay = 200, multiplier = 2))
    @KafkaListener(topics = "${topic}")
    void on(
            @Payload OrderCreated order,
            @Header(name = RetryTopicHeaders.DEFAULT_HEADER_ATTEMPTS, required = false) Integer attempt,
            ConsumerRecord<?, ?> record) {
        output.record("retry", order, record);
        if (order.quantity() + (attempt == null ? 1 : attempt) <= 0) order.reserve();
    }

    @DltHandler
    void dead(ConsumerRecord<?, ?> record) {
        output.record("dead", record.value(), record);
    }
}
