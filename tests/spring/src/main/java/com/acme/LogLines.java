package com.acme;

import java.io.OutputStream;
import java.io.PrintStream;
import java.util.concurrent.atomic.AtomicLong;

/** Counts what is logged. The first lines are logged indeed, so that they can be read. */
class LogLines {
    private static final int SHOWN = 300;
    static final AtomicLong LINES = new AtomicLong();
    static final AtomicLong BYTES = new AtomicLong();
    /** When the first was logged, in milliseconds since the epoch, or 0. */
    static volatile long first;

    static void count() {
        PrintStream stderr = System.err;
        System.setErr(new PrintStream(new OutputStream() {
            @Override
            public void write(int b) {
                write(new byte[] {(byte) b}, 0, 1);
            }

            @Override
            public void write(byte[] bytes, int offset, int length) {
                if (first == 0) first = System.currentTimeMillis();
                if (LINES.get() < SHOWN) stderr.write(bytes, offset, length);
                int lines = 0;
                for (int i = offset; i < offset + length; i++) {
                    if (bytes[i] == '\n') lines++;
                }
                LINES.addAndGet(lines);
                BYTES.addAndGet(length);
            }

            @Override
            public void flush() {
                stderr.flush();
            }
        }, true));
    }
}
