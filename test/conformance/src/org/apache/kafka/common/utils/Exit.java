package org.apache.kafka.common.utils;

import java.util.Objects;

/**
 * Stands in the place of Kafka's class of this name, through which its tools and tests end their process. Here the process is
 * that of all tests: where nobody has said what is to happen instead, the caller fails with {@link Ended}, and the others
 * run on. {@link #resetAll} follows each test, for some leave behind what they have set.
 */
public class Exit {
    private static final Procedure ENDED = (status, message) -> {
        throw new Ended(status, message);
    };
    private static final ShutdownHookAdder HOOK =
        (name, hook) -> Runtime.getRuntime().addShutdownHook(new Thread(hook, name == null ? "shutdown" : name));

    private static volatile Procedure exit = ENDED;
    private static volatile Procedure halt = ENDED;
    private static volatile ShutdownHookAdder hooks = HOOK;

    /** What a call fails with that would have ended the process: an error, for tools catch exceptions. */
    public static final class Ended extends AssertionError {
        private static final long serialVersionUID = 1L;

        Ended(int status, String message) {
            super("would have ended the process with status " + status + (message == null ? "" : ": " + message));
        }
    }

    public interface Procedure {
        void execute(int status, String message);
    }

    public interface ShutdownHookAdder {
        void addShutdownHook(String name, Runnable hook);
    }

    public static void exit(int status) {
        exit(status, null);
    }

    public static void exit(int status, String message) {
        exit.execute(status, message);
    }

    public static void halt(int status) {
        halt(status, null);
    }

    public static void halt(int status, String message) {
        halt.execute(status, message);
    }

    public static void addShutdownHook(String name, Runnable hook) {
        hooks.addShutdownHook(name, hook);
    }

    public static void setExitProcedure(Procedure procedure) {
        exit = Objects.requireNonNull(procedure);
    }

    public static void setHaltProcedure(Procedure procedure) {
        halt = Objects.requireNonNull(procedure);
    }

    public static void setShutdownHookAdder(ShutdownHookAdder adder) {
        hooks = Objects.requireNonNull(adder);
    }

    public static void resetExitProcedure() {
        exit = ENDED;
    }

    public static void resetHaltProcedure() {
        halt = ENDED;
    }

    public static void resetShutdownHookAdder() {
        hooks = HOOK;
    }

    /** As if no test had set anything. */
    public static void resetAll() {
        resetExitProcedure();
        resetHaltProcedure();
        resetShutdownHookAdder();
    }
}
