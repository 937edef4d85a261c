import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Scanner;
import org.apache.kafka.common.utils.Exit;

/**
 * Runs the main methods of Kafka's tools in one JVM, as starting one for each takes seconds.
 *
 * <p>Without arguments, one after the other: a line of stdin is a tool's stdin (a file), its class and its arguments, with tabs
 * between; a line of stdout is its exit code, its stdout and its stderr, these in base64. With arguments, all at once until a
 * signal comes: each argument is a class and its arguments, with tabs between.
 */
public class Tools {
    static class Exited extends Error {
        final int code;

        Exited(int code) {
            super("exit " + code, null, false, false);
            this.code = code;
        }
    }

    public static void main(String[] together) throws Exception {
        for (String command : together) {
            new Thread(() -> run(command.split("\t"))).start();
        }
        if (together.length > 0) return;
        // What would be done when the JVM ends: a console producer is closed.
        List<Runnable> hooks = new ArrayList<>();
        Exit.setShutdownHookAdder((name, hook) -> hooks.add(hook));
        PrintStream answers = System.out;
        Scanner requests = new Scanner(System.in, "UTF-8");
        while (requests.hasNextLine()) {
            String[] request = requests.nextLine().split("\t");
            ByteArrayOutputStream out = new ByteArrayOutputStream(), errors = new ByteArrayOutputStream();
            int code;
            try (InputStream in = new FileInputStream(request[0])) {
                System.setIn(in);
                System.setOut(new PrintStream(out, true));
                System.setErr(new PrintStream(errors, true));
                code = run(Arrays.copyOfRange(request, 1, request.length));
                hooks.forEach(Runnable::run);
                hooks.clear();
            }
            Base64.Encoder base64 = Base64.getEncoder();
            answers.println(code + "\t" + base64.encodeToString(out.toByteArray()) + "\t" + base64.encodeToString(errors.toByteArray()));
            answers.flush();
        }
    }

    /** The exit code. What a tool exits with first counts: some catch whatever is thrown, and exit again. */
    static int run(String[] command) {
        int[] first = {-1};
        Exit.Procedure exit = (code, message) -> {
            if (first[0] < 0) first[0] = code;
            throw new Exited(code);
        };
        Exit.setExitProcedure(exit);
        Exit.setHaltProcedure(exit);
        try {
            Object arguments = Arrays.copyOfRange(command, 1, command.length);
            Class.forName(command[0]).getMethod("main", String[].class).invoke(null, arguments);
        } catch (InvocationTargetException error) {
            if (!(error.getCause() instanceof Exited)) {
                error.getCause().printStackTrace();
                if (first[0] < 0) first[0] = 1;
            }
        } catch (ReflectiveOperationException error) {
            throw new IllegalArgumentException(error);
        }
        return Math.max(first[0], 0);
    }
}
