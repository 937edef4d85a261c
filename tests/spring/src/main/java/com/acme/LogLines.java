package com.acme;

import java.io.OutputStream;
import java.io.PrintStream;
import java.util.concurrent.atomic.AtomicLong;

/** Counts what is logged. The first lines are logged indeed, so that they can be read. */
class LogLines {
    private static final int SHOWN = 300;
    static final AtomicLong LINES = new AtomicLong();

    static void count() {
        PrintStream stderr = System.err;
        System.setErr(new PrintStream(new OutputStream() {
            @Override
            public void write(int b) {
                write(new byte[] {(byte) b}, 0, 1);
            }

            @Override
            public void write(byte[] bytes, int offset, int length) {
                if (LINES.get() < SHOWN) stderr.write(bytes, offset, length);
                int lines = 0;
                for (int i = offset; i < offset + length; i++) {
                    if (bytes[i] == '\n') lines++;
                }
                LINES.addAndGet(lines);
            }

            @Override
            public void flush() {
                stderr.flush();
            }
        }, true));
    }
}
