package example;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The code under test: it knows nothing of Magnéto-Serge; its client comes from outside. */
public final class Users {
    private static final String API =
            System.getenv().getOrDefault("API_URL", "https://jsonplaceholder.typicode.com");

    private final HttpClient client;

    public Users(HttpClient client) {
        this.client = client;
    }

    /** The user's name, or "nobody" where the API does not give one. */
    public String name(int id) throws IOException, InterruptedException {
        var request = HttpRequest.newBuilder(URI.create(API + "/users/" + id)).build();
        var response = client.send(request, BodyHandlers.ofString());
        return response.statusCode() == 200 ? member("name", response.body()) : "nobody";
    }

    /** Write a post; returns its number. */
    public int writePost(int userId, String title) throws IOException, InterruptedException {
        var post = "{\"userId\": %d, \"title\": \"%s\"}".formatted(userId, title);
        var request = HttpRequest.newBuilder(URI.create(API + "/posts"))
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(post))
                .build();
        return Integer.parseInt(member("id", client.send(request, BodyHandlers.ofString()).body()));
    }

    // Your program has a library for this; the example has no dependencies.
    private static String member(String name, String json) {
        Matcher found = Pattern.compile("\"" + name + "\"\\s*:\\s*\"?([^\",}]+)").matcher(json);
        if (!found.find()) {
            throw new IllegalStateException("no \"" + name + "\" in " + json);
        }
        return found.group(1).strip();
    }
}
