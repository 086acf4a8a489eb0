package example;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.net.http.HttpClient;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(Magneto.class)
class UsersTest {
    @Test
    void haveAName(HttpClient client) throws Exception {
        assertEquals("Leanne Graham", new Users(client).name(1));
    }

    @Test
    void mayBeUnknown(HttpClient client) throws Exception {
        assertEquals("nobody", new Users(client).name(999));
    }

    @Test
    void writePosts(HttpClient client) throws Exception {
        assertEquals(101, new Users(client).writePost(1, "Magnéto, Serge !"));
    }
}
