import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.concurrent.CompletableFuture;

/** java.net.http through the proxy: {@code java JavaClient.java http://127.0.0.1:8080}. */
class JavaClient {
  /** HTTP/2 preferred is Java's default: over plain HTTP it offers h2c by upgrade and has to stay with HTTP/1.1. */
  static final HttpClient client = HttpClient.newBuilder().connectTimeout(Duration.ofSeconds(5)).build();
  static String url;

  public static void main(String[] arguments) throws Exception {
    url = arguments[0];
    var body = new byte[1_000_000];
    for (var at = 0; at < body.length; at++) body[at] = (byte) (at * 31 + at / 251);
    var hash = HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(body));

    var first = client.send(request("/bytes/100000").build(), BodyHandlers.ofByteArray());
    check(first.statusCode() == 200 && first.body().length == 100_000, "GET");
    check(first.version() == HttpClient.Version.HTTP_1_1, "HTTP/1.1 after an offer of h2c");

    var posted = client.send(request("/hash").POST(BodyPublishers.ofByteArray(body)).build(), BodyHandlers.ofString());
    check(posted.body().contains(hash), "POST with a length");
    // A publisher of unknown length is sent in chunks.
    var stream = BodyPublishers.ofInputStream(() -> new java.io.ByteArrayInputStream(body));
    var chunked = client.send(request("/hash").PUT(stream).build(), BodyHandlers.ofString());
    check(chunked.body().contains(hash) && chunked.body().contains("chunked"), "PUT in chunks");
    var expecting = request("/hash").expectContinue(true).POST(BodyPublishers.ofByteArray(body)).build();
    check(client.send(expecting, BodyHandlers.ofString()).body().contains(hash), "POST after 100 Continue");

    var many = new ArrayList<CompletableFuture<HttpResponse<byte[]>>>();
    for (var n = 0; n < 300; n++) many.add(client.sendAsync(request("/chunked/" + n * 100).build(), BodyHandlers.ofByteArray()));
    for (var n = 0; n < 300; n++) check(many.get(n).get().body().length == n * 100, "concurrent GET " + n);
    System.out.println("ok");
  }

  static HttpRequest.Builder request(String path) {
    return HttpRequest.newBuilder(URI.create(url + path)).timeout(Duration.ofSeconds(10));
  }

  static void check(boolean holds, String what) {
    if (!holds) throw new AssertionError(what);
  }
}
