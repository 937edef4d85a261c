package com.acme;

import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.Headers;
import org.springframework.stereotype.Component;
import tools.jackson.databind.json.JsonMapper;

/** Prints JSON objects, one a line. */
@Component
public class Output {
    public void print(Object... namesAndValues) {
        Map<String, Object> object = new LinkedHashMap<>();
        for (int i = 0; i < namesAndValues.length; i += 2) {
            object.put((String) namesAndValues[i], namesAndValues[i + 1]);
        }
        print(object);
    }

    public synchronized void print(Map<String, Object> object) {
        System.out.println(JsonMapper.shared().writeValueAsString(object));
        System.out.flush();
    }

    /** What a listener was given. */
    public void record(String listener, Object value, ConsumerRecord<?, ?> record) {
        print(of(listener, value, record));
    }

    public static Map<String, Object> of(String listener, Object value, ConsumerRecord<?, ?> record) {
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("listener", listener);
        object.put("topic", record.topic());
        object.put("partition", record.partition());
        object.put("offset", record.offset());
        object.put("timestamp", record.timestamp());
        object.put("key", record.key());
        object.put("value", value);
        object.put("headers", headers(record.headers()));
        return object;
    }

    /** In their order: each is its name and its bytes in hexadecimal digits. */
    public static List<List<String>> headers(Headers headers) {
        List<List<String>> all = new ArrayList<>();
        for (Header header : headers) {
            List<String> pair = new ArrayList<>();
            pair.add(header.key());
            pair.add(header.value() == null ? null : HexFormat.of().formatHex(header.value()));
            all.add(pair);
        }
        return all;
    }
}
