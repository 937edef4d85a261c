package com.acme;

import org.springframework.context.annotation.Profile;
import org.springframework.stereotype.Component;

/** Mode trap: each line of stdin asks how much has been logged so far. */
@Component
@Profile("trap")
class LogCounter implements Service.Input {
    private final Output output;

    LogCounter(Output output) {
        this.output = output;
    }

    @Override
    public void line(String line) {
        long first = LogLines.first;
        long millis = first == 0 ? 0 : System.currentTimeMillis() - first;
        output.print("logged", LogLines.LINES.get(), "bytes", LogLines.BYTES.get(), "millis", millis);
    }
}
