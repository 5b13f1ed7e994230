import com.example.bucketlist.ApiClient;
import com.example.bucketlist.ApiException;
import com.example.bucketlist.api.AuthApi;
import com.example.bucketlist.api.BucketlistsApi;
import com.example.bucketlist.api.ExportsApi;
import com.example.bucketlist.api.ItemsApi;
import com.example.bucketlist.api.UsersApi;
import com.example.bucketlist.model.AuthSession;
import com.example.bucketlist.model.Bucketlist;
import com.example.bucketlist.model.BucketlistCreate;
import com.example.bucketlist.model.BucketlistListInclude;
import com.example.bucketlist.model.BucketlistPage;
import com.example.bucketlist.model.ErrorCode;
import com.example.bucketlist.model.Export;
import com.example.bucketlist.model.ExportCreate;
import com.example.bucketlist.model.ExportFormat;
import com.example.bucketlist.model.Item;
import com.example.bucketlist.model.ItemCreate;
import com.example.bucketlist.model.ItemPatch;
import com.example.bucketlist.model.Problem;
import com.example.bucketlist.model.Registration;
import com.example.bucketlist.model.Role;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;

/** The scenario with the client of openapi-generator, for v2. */
public final class Scenario {
    private static final String PASSWORD = "harbour-lantern-42";
    private static final List<String> NAMES = List.of("Oslo", "Lisbon", "Zürich", "Kyoto", "Quito");
    private static final List<String> THINGS =
            List.of("Watch the northern lights", "Walk the Camino", "Swim in the Dead Sea");

    private Scenario() {}

    private static void must(boolean holds, Object what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    private static void done(String step) {
        System.out.println("ok " + step);
    }

    private static ApiClient at(String server, String token) {
        ApiClient client = new ApiClient();
        client.updateBaseUri(server + "/v2");
        if (token != null) {
            client.setRequestInterceptor(request -> request.header("Authorization", "Bearer " + token));
        }
        return client;
    }

    public static void main(String[] arguments) throws Exception {
        String base = arguments[0];
        String future = arguments[1];

        String email = "java-" + System.nanoTime() + "-" + ProcessHandle.current().pid() + "@example.com";
        Registration account = new Registration().email(email).password(PASSWORD).name("Ada");
        AuthSession session = new AuthApi(at(base, null)).register(account, null);
        must(session.getUser().getRole() == Role.USER, session);
        done("v2 register");

        ApiClient client = at(base, session.getAccessToken());
        BucketlistsApi lists = new BucketlistsApi(client);
        ItemsApi items = new ItemsApi(client);
        for (String name : NAMES) {
            Bucketlist created = lists.createBucketlist(new BucketlistCreate().name(name), null);
            must(created.getDescription() == null, created);
        }
        Long list = lists.listBucketlists(null, null, null, "zürich", null, null, null).getData().get(0).getId();
        Item item = null;
        for (String name : THINGS) {
            item = items.createItem(list, new ItemCreate().name(name).dueOn(LocalDate.of(2027, 2, 1)), null);
            must(item.getDueOn().equals(LocalDate.of(2027, 2, 1)), item);
        }
        done("v2 create");

        List<String> seen = new ArrayList<>();
        String cursor = "";
        while (cursor != null && seen.size() < 20) {
            BucketlistPage page = lists.listBucketlists(cursor, 2, "created_at", null, null, null, null);
            page.getData().forEach(each -> seen.add(each.getName()));
            String next = page.getLinks().getNext();
            cursor = null;
            for (String pair : next == null ? new String[0] : URI.create(next).getQuery().split("&")) {
                cursor = pair.startsWith("cursor=") ? pair.substring("cursor=".length()) : cursor;
            }
        }
        must(seen.equals(NAMES), seen);
        done("v2 pages");

        Item changed = items.updateItem(list, item.getId(), new ItemPatch().done(true), null);
        must(changed.getDone() && changed.getDoneAt() != null, changed);
        done("v2 change");

        OffsetDateTime after = OffsetDateTime.of(2025, 1, 1, 0, 0, 0, 123456789, ZoneOffset.ofHours(2));
        List<BucketlistListInclude> include = List.of(BucketlistListInclude.TOTAL);
        BucketlistPage counted = lists.listBucketlists(null, null, null, null, after, include, null);
        must(counted.getMeta().getTotal() == NAMES.size(), counted);
        must(changed.getDescription() == null, changed);
        Export export = new ExportsApi(client).createExport(new ExportCreate().format(ExportFormat.CSV), null);
        must(export.getFormat() == ExportFormat.CSV && export.getCreatedAt().isAfter(after), export);
        done("v2 values");

        try {
            lists.createBucketlist(new BucketlistCreate().name(""), null);
            throw new AssertionError("an empty name was accepted");
        } catch (ApiException error) {
            Problem problem = client.getObjectMapper().readValue(error.getResponseBody(), Problem.class);
            must(error.getCode() == 422 && problem.getCode() == ErrorCode.VALIDATION_FAILED, problem);
            must(problem.getErrors().get(0).getPointer().equals("/name"), problem);
        }
        done("v2 error");

        ApiClient next = at(future, session.getAccessToken());
        must(new UsersApi(next).getMe(null).getRole() == Role.UNKNOWN_DEFAULT_OPEN_API, "role");
        BucketlistPage page = new BucketlistsApi(next).listBucketlists(null, null, null, null, null, null, null);
        must(page.getData().size() == NAMES.size(), page);
        try {
            new BucketlistsApi(next).getBucketlist(987654L, null, null);
            throw new AssertionError("a bucketlist that is not there was found");
        } catch (ApiException error) {
            Problem problem = client.getObjectMapper().readValue(error.getResponseBody(), Problem.class);
            must(error.getCode() == 404 && problem.getCode() == ErrorCode.UNKNOWN_DEFAULT_OPEN_API, problem);
        }
        done("v2 tolerance");

        // The generated function supports only JSON; use the underlying HTTP client.
        HttpRequest request = HttpRequest.newBuilder(URI.create(base + "/v2/bucketlists/" + list + "/items"))
                .header("Authorization", "Bearer " + session.getAccessToken())
                .header("Accept", "text/csv")
                .build();
        HttpResponse<String> response =
                HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString());
        String[] rows = response.body().split("\r\n");
        must(rows.length == 1 + THINGS.size() && rows[0].startsWith("id,bucketlist_id,name,"), response.body());
        done("v2 csv");
    }
}
