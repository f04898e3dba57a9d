package barnabas;

import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectMethod;

import java.io.IOException;
import java.io.PrintStream;
import java.lang.reflect.Method;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.apache.kafka.common.utils.Exit;
import org.junit.platform.engine.DiscoverySelector;
import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.Launcher;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Runs Kafka's test classes and compares each method with what is known of it.
 *
 * <p>Usage: Conformance RESULTS KNOWN EXCEPTIONS CLASS[#METHOD]... . RESULTS is written: a line "ok|failed|aborted
 * class#method" each. KNOWN is such a file from Apache Kafka, or "-". EXCEPTIONS lists what may fail here: lines
 * "class#method reason", where * stands for any text. With -Dbarnabas.skip=true those are not run.
 */
public final class Conformance {
    private enum Verdict { OK, ABORTED, FAILED }

    private static final int STORY_FRAMES = 12;
    /** How often a test that has failed is run again: Kafka's wait for 15 s, however slow or busy the machine is. */
    private static final int AGAIN = 2;
    private static final PrintStream OUT = System.out;
    private final Map<String, Verdict> verdicts = new TreeMap<>();
    private final Map<String, Long> started = new ConcurrentHashMap<>();

    private Conformance() {
    }

    public static void main(String[] args) throws IOException {
        Conformance run = new Conformance();
        Map<String, String> exceptions = exceptions(args[2]);
        List<DiscoverySelector> selectors = new ArrayList<>();
        for (String name : List.of(args).subList(3, args.length)) {
            selectors.addAll(select(name));
        }
        Map<String, String> skipped = Boolean.getBoolean("barnabas.skip") ? exceptions : Map.of();
        Map<String, Verdict> known = read(args[1]);
        run.execute(selectors, skipped);
        for (int again = 0; again < AGAIN; again++) {
            run.repeat(known, exceptions, skipped);
        }
        List<String> lines = new ArrayList<>();
        run.verdicts.forEach((test, verdict) -> lines.add(verdict.name().toLowerCase() + " " + test));
        Files.write(Path.of(args[0]), lines);
        System.exit(run.compare(known, exceptions) ? 0 : 1);
    }

    /** A class, or its methods of a name, whatever their parameters. */
    private static List<DiscoverySelector> select(String name) {
        String[] parts = name.split("#", 2);
        if (parts.length == 1) {
            return List.of(selectClass(name));
        }
        try {
            List<DiscoverySelector> found = new ArrayList<>();
            Class<?> type = Class.forName(parts[0]);
            for (Class<?> in = type; in != null; in = in.getSuperclass()) {
                for (Method method : in.getDeclaredMethods()) { // many tests are not public
                    if (method.getName().equals(parts[1]) && !method.isBridge()) {
                        found.add(selectMethod(type, method));
                    }
                }
            }
            if (found.isEmpty()) {
                throw new IllegalArgumentException("there is no " + name);
            }
            return found;
        } catch (ClassNotFoundException e) {
            throw new IllegalArgumentException(name, e);
        }
    }

    private void execute(List<DiscoverySelector> selectors, Map<String, String> skipped) {
        LauncherDiscoveryRequest request = LauncherDiscoveryRequestBuilder.request().selectors(selectors)
            .filters((PostDiscoveryFilter) test -> FilterResult.includedIf(test.getSource()
                .filter(MethodSource.class::isInstance).map(MethodSource.class::cast)
                .map(source -> reason(skipped, name(source)) == null).orElse(true)))
            .configurationParameter("junit.jupiter.extensions.autodetection.enabled", "true")
            .configurationParameter("junit.jupiter.execution.timeout.mode", "enabled")
            .configurationParameter("junit.jupiter.execution.timeout.testable.method.default", "90 s")
            .configurationParameter("junit.jupiter.execution.timeout.threaddump.enabled", "true")
            .build();
        Launcher launcher = LauncherFactory.create();
        launcher.execute(request, new TestExecutionListener() {
            @Override
            public void executionStarted(TestIdentifier test) {
                started.put(test.getUniqueId(), System.currentTimeMillis());
            }

            @Override
            public void executionFinished(TestIdentifier test, TestExecutionResult result) {
                note(test, result);
                Exit.resetAll();
            }
        });
    }

    /** Runs again what has failed and should not have, and says so. */
    private void repeat(Map<String, Verdict> known, Map<String, String> exceptions, Map<String, String> skipped) {
        List<String> failed = new ArrayList<>();
        verdicts.forEach((test, verdict) -> {
            if (verdict == Verdict.FAILED && test.contains("#") && reason(exceptions, test) == null
                && known.getOrDefault(test, Verdict.OK) == Verdict.OK) {
                failed.add(test);
            }
        });
        List<DiscoverySelector> selectors = new ArrayList<>();
        for (String test : failed) {
            OUT.println("once more: " + test);
            verdicts.remove(test);
            selectors.addAll(select(test));
        }
        if (!selectors.isEmpty()) {
            execute(selectors, skipped);
        }
    }

    /** A method is as good as the worst of its invocations; a class that fails to set up has a line too. */
    private void note(TestIdentifier test, TestExecutionResult result) {
        boolean passed = result.getStatus() == TestExecutionResult.Status.SUCCESSFUL;
        if (passed && !test.isTest()) {
            return;
        }
        String name = test.getSource().filter(MethodSource.class::isInstance).map(MethodSource.class::cast)
            .map(Conformance::name).orElse(test.getLegacyReportingName());
        Verdict verdict = switch (result.getStatus()) {
            case SUCCESSFUL -> Verdict.OK;
            case ABORTED -> Verdict.ABORTED;
            case FAILED -> Verdict.FAILED;
        };
        verdicts.merge(name, verdict, (a, b) -> a.compareTo(b) > 0 ? a : b);
        long ms = System.currentTimeMillis() - started.remove(test.getUniqueId());
        if (passed) {
            OUT.println("ok " + name + " (" + ms + " ms)");
        } else {
            String story = result.getThrowable().map(Conformance::story).orElse("");
            OUT.println(verdict.name().toLowerCase() + " " + name + " " + test.getDisplayName() + " (" + ms + " ms)\n    "
                + story);
        }
    }

    private static String name(MethodSource source) {
        return source.getClassName() + "#" + source.getMethodName();
    }

    private static String story(Throwable thrown) {
        StringBuilder text = new StringBuilder();
        for (Throwable told = thrown; told != null; told = told.getCause()) {
            text.append(told == thrown ? "" : "\n      by ").append(told);
            Stream.of(told.getStackTrace()).filter(frame -> frame.getClassName().contains("kafka")).limit(STORY_FRAMES)
                .forEach(frame -> text.append("\n      at ").append(frame));
        }
        return text.toString();
    }

    /** What passes on Kafka passes here, but for the list of exceptions; an exception that passes is struck off it. */
    private boolean compare(Map<String, Verdict> known, Map<String, String> exceptions) {
        int passed = 0;
        int failed = 0;
        int skipped = 0;
        for (Map.Entry<String, Verdict> entry : verdicts.entrySet()) {
            String reason = reason(exceptions, entry.getKey());
            if (entry.getValue() == Verdict.OK) {
                passed++;
                if (reason != null) {
                    OUT.println("passes although excepted: " + entry.getKey());
                }
            } else if (reason != null) {
                skipped++;
                OUT.println("excepted: " + entry.getKey() + ": " + reason);
            } else if (known.getOrDefault(entry.getKey(), Verdict.OK) != Verdict.OK) {
                skipped++;
                OUT.println("does not pass on Apache Kafka either: " + entry.getKey());
            } else {
                failed++;
                OUT.println("FAILED: " + entry.getKey());
            }
        }
        OUT.println(passed + " passed, " + failed + " failed, " + skipped + " skipped");
        return failed == 0 && passed > 0;
    }

    private static String reason(Map<String, String> exceptions, String test) {
        for (Map.Entry<String, String> entry : exceptions.entrySet()) {
            if (test.matches(entry.getKey())) {
                return entry.getValue();
            }
        }
        return null;
    }

    private static Map<String, Verdict> read(String file) throws IOException {
        Map<String, Verdict> known = new TreeMap<>();
        if (!file.equals("-") && Files.exists(Path.of(file))) {
            for (String line : Files.readAllLines(Path.of(file))) {
                String[] words = line.split(" ", 2);
                known.put(words[1], Verdict.valueOf(words[0].toUpperCase()));
            }
        }
        return known;
    }

    private static Map<String, String> exceptions(String file) throws IOException {
        Map<String, String> reasons = new LinkedHashMap<>();
        for (String line : Files.readAllLines(Path.of(file))) {
            if (!line.isBlank() && !line.startsWith("#")) {
                String[] words = line.split("\\s+", 2);
                reasons.put(".*\\Q" + words[0].replace("*", "\\E.*\\Q") + "\\E", words[1]);
            }
        }
        return reasons;
    }
}
