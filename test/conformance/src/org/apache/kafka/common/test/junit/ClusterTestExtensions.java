package org.apache.kafka.common.test.junit;

import barnabas.Instance;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeoutException;
import java.util.stream.Stream;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.test.ClusterInstance;
import org.apache.kafka.common.test.api.AutoStart;
import org.apache.kafka.common.test.api.ClusterConfig;
import org.apache.kafka.common.test.api.ClusterConfigProperty;
import org.apache.kafka.common.test.api.ClusterTemplate;
import org.apache.kafka.common.test.api.ClusterTest;
import org.apache.kafka.common.test.api.ClusterTestDefaults;
import org.apache.kafka.common.test.api.ClusterTests;
import org.apache.kafka.common.test.api.Type;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.Extension;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.junit.jupiter.api.extension.TestTemplateInvocationContext;
import org.junit.jupiter.api.extension.TestTemplateInvocationContextProvider;

/**
 * Stands in the place of Kafka's extension of this name, which JUnit finds by it: reads the annotations of a test and
 * hands it a cluster of Barnabas for each configuration asked for. A test for both kinds of KRaft node runs once.
 */
public class ClusterTestExtensions implements TestTemplateInvocationContextProvider, BeforeEachCallback, AfterEachCallback {
    private static final ClusterTestDefaults DEFAULTS = Plain.class.getAnnotation(ClusterTestDefaults.class);

    @ClusterTestDefaults
    private static final class Plain {
    }

    @Override
    public boolean supportsTestTemplate(ExtensionContext context) {
        return context.getTestMethod().filter(ClusterTestExtensions::isClusterTest).isPresent();
    }

    private static boolean isClusterTest(Method method) {
        return method.isAnnotationPresent(ClusterTest.class) || method.isAnnotationPresent(ClusterTests.class)
            || method.isAnnotationPresent(ClusterTemplate.class);
    }

    @Override
    public Stream<TestTemplateInvocationContext> provideTestTemplateInvocationContexts(ExtensionContext context) {
        Method method = context.getRequiredTestMethod();
        List<ClusterConfig> configs = new ArrayList<>();
        ClusterTemplate template = method.getAnnotation(ClusterTemplate.class);
        if (template != null) {
            configs.addAll(generated(context.getRequiredTestClass(), template.value()));
        }
        ClusterTests tests = method.getAnnotation(ClusterTests.class);
        if (tests != null) {
            for (ClusterTest test : tests.value()) {
                configs.add(config(context, test));
            }
        }
        ClusterTest test = method.getAnnotation(ClusterTest.class);
        if (test != null) {
            configs.add(config(context, test));
        }
        return configs.stream().map(config -> invocation(method.getName(), config));
    }

    @SuppressWarnings("unchecked")
    private static List<ClusterConfig> generated(Class<?> testClass, String generator) {
        for (Class<?> in = testClass; in != null; in = in.getSuperclass()) {
            try {
                Method method = in.getDeclaredMethod(generator);
                method.setAccessible(true);
                return (List<ClusterConfig>) method.invoke(null);
            } catch (NoSuchMethodException e) {
                continue;
            } catch (IllegalAccessException | InvocationTargetException e) {
                throw new IllegalStateException(generator, e);
            }
        }
        throw new IllegalStateException("there is no " + generator + " in " + testClass);
    }

    private static ClusterConfig config(ExtensionContext context, ClusterTest test) {
        ClusterTestDefaults found = context.getRequiredTestClass().getAnnotation(ClusterTestDefaults.class);
        ClusterTestDefaults defaults = found == null ? DEFAULTS : found;
        Map<String, String> all = new HashMap<>();
        Map<Integer, Map<String, String>> each = new HashMap<>();
        for (ClusterConfigProperty[] properties : List.of(defaults.serverProperties(), test.serverProperties())) {
            for (ClusterConfigProperty property : properties) {
                Map<String, String> into =
                    property.id() == -1 ? all : each.computeIfAbsent(property.id(), id -> new HashMap<>());
                into.put(property.key(), property.value());
            }
        }
        Type[] types = test.types().length > 0 ? test.types() : defaults.types();
        ClusterConfig.Builder builder = ClusterConfig.builder()
            .setTypes(Set.of(types[0]))
            .setBrokers(test.brokers() == 0 ? defaults.brokers() : test.brokers())
            .setControllers(test.controllers() == 0 ? defaults.controllers() : test.controllers())
            .setDisksPerBroker(test.disksPerBroker() == 0 ? defaults.disksPerBroker() : test.disksPerBroker())
            .setAutoStart(test.autoStart() == AutoStart.DEFAULT ? defaults.autoStart() : test.autoStart() == AutoStart.YES)
            .setServerProperties(all)
            .setPerServerProperties(each)
            .setTags(List.of(test.tags()))
            .setBrokerSecurityProtocol(test.brokerSecurityProtocol())
            .setControllerSecurityProtocol(test.controllerSecurityProtocol())
            .setMetadataVersion(test.metadataVersion())
            .setFeatures(Map.of());
        if (!test.brokerListener().trim().isEmpty()) {
            builder.setBrokerListenerName(ListenerName.normalised(test.brokerListener()));
        }
        if (!test.controllerListener().trim().isEmpty()) {
            builder.setControllerListenerName(ListenerName.normalised(test.controllerListener()));
        }
        return builder.build();
    }

    private static TestTemplateInvocationContext invocation(String name, ClusterConfig config) {
        Instance instance = new Instance(config);
        return new TestTemplateInvocationContext() {
            @Override
            public String getDisplayName(int index) {
                return name + " [" + index + "]";
            }

            @Override
            public List<Extension> getAdditionalExtensions() {
                BeforeEachCallback start = context -> {
                    if (config.isAutoStart()) {
                        instance.start();
                    }
                };
                AfterEachCallback stop = context -> {
                    context.getExecutionException().filter(TimeoutException.class::isInstance)
                        .ifPresent(late -> System.out.println("what the brokers said:\n" + instance.logs()));
                    instance.stop();
                };
                return List.of(start, stop, resolver(instance));
            }
        };
    }

    private static ParameterResolver resolver(Instance instance) {
        return new ParameterResolver() {
            @Override
            public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
                return parameter.getParameter().getType() == ClusterInstance.class;
            }

            @Override
            public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
                return instance;
            }
        };
    }

    @Override
    public boolean mayReturnZeroTestTemplateInvocationContexts(ExtensionContext context) {
        return true;
    }

    @Override
    public void beforeEach(ExtensionContext context) {
    }

    @Override
    public void afterEach(ExtensionContext context) {
    }
}
