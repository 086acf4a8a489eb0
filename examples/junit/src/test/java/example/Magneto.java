package example;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.IOException;
import java.net.Authenticator;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.PasswordAuthentication;
import java.net.Proxy;
import java.net.ProxySelector;
import java.net.URI;
import java.net.http.HttpClient;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.util.Base64;
import java.util.UUID;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;

/**
 * Gives each test a cassette of its own, and the {@link HttpClient} that it takes as a parameter.
 *
 * <p>Run the tests with {@code magneto passthrough --proxy-auth junit:SECRET -- mvn test}: the
 * command starts a proxy, names it in HTTP_PROXY and the authorities to trust in SSL_CERT_FILE.
 * Before each test a session is opened there over HTTP; after it the session is finished, and a
 * request that had no recording fails the test, even where the code under test has swallowed the
 * 502.
 *
 * <p>A client belongs to the session whose key is the user name that it gives to the proxy. Java's
 * client gives credentials only where it is asked for them, hence {@code --proxy-auth}.
 */
public final class Magneto implements BeforeEachCallback, AfterEachCallback, ParameterResolver {
    static {
        // Java does not give a password to a proxy for an https: URL (a tunnel) unless this is
        // empty; it is read once, when the first HttpClient is made.
        System.setProperty("jdk.http.auth.tunneling.disabledSchemes", "");
    }

    private static final ExtensionContext.Namespace OURS =
            ExtensionContext.Namespace.create(Magneto.class);
    private static final String CONTROL = "/__magneto/sessions";
    private static final String STRING = "\"[^\"\\\\]*+(?:\\\\.[^\"\\\\]*+)*+\"";
    private static final Pattern MISSES =
            Pattern.compile("\"misses\"\\s*:\\s*\\[((?:[\\s,]|" + STRING + ")*+)\\]");

    private final URI proxy = proxy();
    private final String password = proxy.getUserInfo().split(":", 2)[1];

    @Override
    public void beforeEach(ExtensionContext test) throws Exception {
        var cassette = cassetteOf(test);
        var mode = System.getenv().getOrDefault("CASSETTE_MODE", "auto"); // CI says `replay`
        var key = UUID.randomUUID().toString();
        ask("POST", CONTROL, "{\"cassette\": \"%s\", \"mode\": \"%s\", \"key\": \"%s\"}"
                .formatted(cassette, mode, key));
        test.getStore(OURS).put("key", key);
        test.getStore(OURS).put("client", client(key));
    }

    @Override
    public void afterEach(ExtensionContext test) throws Exception {
        var key = test.getStore(OURS).remove("key", String.class);
        if (key == null) {
            return; // it could not be opened, which has failed the test already
        }
        var save = test.getExecutionException().isEmpty(); // a failed test's is not worth keeping
        var ended = ask("DELETE", CONTROL + "/" + key + "?save=" + save, "");
        var misses = MISSES.matcher(ended);
        if (!misses.find()) {
            throw new AssertionError("not the end of a session: " + ended);
        }
        if (!misses.group(1).isBlank()) {
            throw new AssertionError(Pattern.compile(STRING).matcher(misses.group(1)).results()
                    .map(each -> each.group().substring(1, each.group().length() - 1))
                    .map(each -> each.replace("\\n", "\n").replace("\\\"", "\""))
                    .collect(Collectors.joining("\n")));
        }
    }

    /** {@code UsersTest/haveAName}; what parametrised tests display comes after. */
    private static String cassetteOf(ExtensionContext test) {
        var method = test.getRequiredTestMethod().getName();
        var displayed = test.getDisplayName();
        var name = displayed.startsWith(method + "(") ? method : method + "-" + displayed;
        return test.getRequiredTestClass().getSimpleName() + "/"
                + name.replaceAll("[^\\p{L}\\p{N}]+", "-");
    }

    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext test) {
        return parameter.getParameter().getType() == HttpClient.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext test) {
        return test.getStore(OURS).get("client");
    }

    private HttpClient client(String key) throws IOException, GeneralSecurityException {
        return HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .proxy(ProxySelector.of(new InetSocketAddress(proxy.getHost(), proxy.getPort())))
                .authenticator(new Authenticator() {
                    @Override
                    protected PasswordAuthentication getPasswordAuthentication() {
                        return getRequestorType() == RequestorType.PROXY
                                ? new PasswordAuthentication(key, password.toCharArray())
                                : null;
                    }
                })
                .sslContext(trust(Path.of(System.getenv("SSL_CERT_FILE"))))
                .build();
    }

    /** Trust the authorities in a PEM file. */
    private static SSLContext trust(Path file) throws IOException, GeneralSecurityException {
        var trusted = KeyStore.getInstance(KeyStore.getDefaultType());
        trusted.load(null, null);
        try (var pem = Files.newInputStream(file)) {
            var number = 0;
            for (var each : CertificateFactory.getInstance("X.509").generateCertificates(pem)) {
                trusted.setCertificateEntry("authority-" + number++, each);
            }
        }
        var trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(trusted);
        var context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }

    /** Tell the proxy something, directly; java.net.http would not send it Proxy-Authorization. */
    private String ask(String method, String target, String body) throws IOException {
        var url = URI.create("http://" + proxy.getHost() + ":" + proxy.getPort() + target).toURL();
        var connection = (HttpURLConnection) url.openConnection(Proxy.NO_PROXY);
        var credentials = Base64.getEncoder().encodeToString(proxy.getUserInfo().getBytes(UTF_8));
        connection.setRequestProperty("Proxy-Authorization", "Basic " + credentials);
        connection.setRequestMethod(method);
        if (!body.isEmpty()) {
            connection.setDoOutput(true);
            connection.getOutputStream().write(body.getBytes(UTF_8));
        }
        var refused = connection.getResponseCode() >= 400;
        try (var stream = refused ? connection.getErrorStream() : connection.getInputStream()) {
            var answer = new String(stream.readAllBytes(), UTF_8);
            if (refused) {
                throw new IOException("magneto: " + answer);
            }
            return answer;
        }
    }

    private static URI proxy() {
        var address = System.getenv("HTTP_PROXY");
        if (address == null || URI.create(address).getUserInfo() == null) {
            throw new IllegalStateException(
                    "run me with `magneto passthrough --proxy-auth junit:SECRET -- mvn test`");
        }
        return URI.create(address);
    }
}
