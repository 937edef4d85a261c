package com.acme;

import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;

/**
 * A Spring Boot service of one kind: Service MODE --servers=HOST:PORT --topic=NAME [--types=…] [--NAME=VALUE …].
 *
 * <p>The modes and what they take are in README.md. A line of stdout is a JSON object; the first one says that all has started.
 * A line of stdin is an event to be published, for the modes that publish. The service ends when its stdin does.
 */
@SpringBootApplication
public class Service {
    /** What a mode does with a line of stdin. */
    public interface Input {
        void line(String line) throws Exception;
    }

    public static void main(String[] args) throws Exception {
        String mode = args[0];
        List<String> profiles = new ArrayList<>(List.of(mode));
        for (String arg : args) {
            // How events carry their type is a profile too: see application.yml.
            if (arg.startsWith("--types=")) profiles.add("types-" + arg.substring("--types=".length()));
        }
        if (mode.equals("trap")) LogLines.count();
        ConfigurableApplicationContext context =
                new SpringApplicationBuilder(Service.class).profiles(profiles.toArray(String[]::new)).run(args);
        long started = System.currentTimeMillis() - ManagementFactory.getRuntimeMXBean().getStartTime();
        context.getBean(Output.class).print("ready", mode, "millis", started);
        BufferedReader stdin = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line; (line = stdin.readLine()) != null; ) {
            context.getBean(Input.class).line(line);
        }
        context.close();
    }
}
