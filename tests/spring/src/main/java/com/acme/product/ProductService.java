package com.acme.product;

import com.acme.Output;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.Serializer;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.kafka.autoconfigure.KafkaProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Profile;
import org.springframework.kafka.annotation.KafkaListener;
import org.springframework.kafka.core.DefaultKafkaProducerFactory;
import org.springframework.kafka.core.KafkaTemplate;
import org.springframework.kafka.listener.DeadLetterPublishingRecoverer;
import org.springframework.kafka.listener.DefaultErrorHandler;
import org.springframework.kafka.support.serializer.DelegatingByTypeSerializer;
import org.springframework.kafka.support.serializer.JacksonJsonSerializer;
import org.springframework.messaging.handler.annotation.Payload;
import org.springframework.util.backoff.FixedBackOff;

/** Mode products: what fails twice more, or cannot be read at all, goes to the dead letters. */
@Configuration
@Profile("products")
class ProductService {
    private final Output output;

    ProductService(Output output) {
        this.output = output;
    }

    @KafkaListener(topics = "${topic}")
    void on(@Payload(required = false) OrderCreated order, ConsumerRecord<?, ?> record) {
        output.record("products", order, record);
        if (order != null) order.reserve();
    }

    /**
     * With --letters=bytes (the default), a value that could not be read is a dead letter as it was; with --letters=json one
     * serializer does for all, as many services have it, and such a letter is a quoted base64 string.
     */
    @Bean
    DefaultErrorHandler errors(
            KafkaProperties properties, KafkaTemplate<Object, Object> json, @Value("${letters:bytes}") String letters) {
        var template = letters.equals("json") ? json : bytesOrJson(properties);
        return new DefaultErrorHandler(new DeadLetterPublishingRecoverer(template), new FixedBackOff(50, 2));
    }

    private static KafkaTemplate<Object, Object> bytesOrJson(KafkaProperties properties) {
        // The first that fits is taken.
        Map<Class<?>, Serializer<?>> byClass = new LinkedHashMap<>();
        byClass.put(byte[].class, new ByteArraySerializer());
        byClass.put(Object.class, new JacksonJsonSerializer<>());
        var producers = new DefaultKafkaProducerFactory<Object, Object>(properties.buildProducerProperties());
        producers.setValueSerializer(new DelegatingByTypeSerializer(byClass, true));
        return new KafkaTemplate<>(producers);
    }
}
