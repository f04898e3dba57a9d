import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.io.PrintStream;
import java.util.Arrays;
import org.apache.kafka.common.utils.Exit;

/**
 * Kafka's tools, one after another in one JVM: a line of standard input names a class and its arguments, with tabs
 * between; what the tool prints comes out, and then a line with its exit code.
 */
public class Tools {
    static class Exited extends RuntimeException {
        final int code;

        Exited(int code) {
            super(null, null, false, false);
            this.code = code;
        }
    }

    public static void main(String[] unused) throws Exception {
        PrintStream out = System.out;
        ByteArrayOutputStream said = new ByteArrayOutputStream();
        System.setOut(new PrintStream(said, true)); // Scala's console keeps the one that it finds first
        System.setErr(new PrintStream(OutputStream.nullOutputStream()));
        Exit.Procedure exit = (code, message) -> {
            throw new Exited(code);
        };
        Exit.setExitProcedure(exit);
        Exit.setHaltProcedure(exit);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split("\t");
            int code = 0;
            try {
                Class.forName(words[0]).getMethod("main", String[].class)
                    .invoke(null, (Object) Arrays.copyOfRange(words, 1, words.length));
            } catch (java.lang.reflect.InvocationTargetException e) {
                code = e.getCause() instanceof Exited ? ((Exited) e.getCause()).code : 99;
                if (code == 99) {
                    System.out.println(e.getCause());
                }
            }
            out.print(said);
            out.println("\n=== " + code);
            out.flush();
            said.reset();
        }
    }
}
