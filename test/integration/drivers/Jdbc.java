// SPDX-License-Identifier: PostgreSQL
// PgJDBC, which names a statement on the server from its fifth execution on.

import java.net.URI;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

public class Jdbc {
    interface Work {
        void run() throws SQLException;
    }

    static Connection connect() throws SQLException {
        URI url = URI.create(System.getenv("DATABASE_URL"));
        String[] user = url.getUserInfo().split(":", 2);
        Properties properties = new Properties();
        properties.setProperty("user", user[0]);
        properties.setProperty("password", user[1]);
        return DriverManager.getConnection("jdbc:postgresql://" + url.getHost() + ":" + url.getPort()
                + url.getPath() + "?" + url.getQuery(), properties);
    }

    static void check(boolean holds, String what) {
        if (!holds)
            throw new AssertionError(what);
    }

    static void expectError(String sqlstate, Work work) {
        try {
            work.run();
        } catch (SQLException error) {
            check(sqlstate.equals(error.getSQLState()), error.toString());
            return;
        }
        throw new AssertionError("no error " + sqlstate);
    }

    static int number(Connection connection, String text) throws SQLException {
        try (Statement statement = connection.createStatement();
                ResultSet rows = statement.executeQuery(text)) {
            rows.next();
            return rows.getInt(1);
        }
    }

    static int increment(PreparedStatement statement, int n) throws SQLException {
        statement.setInt(1, n);
        try (ResultSet rows = statement.executeQuery()) {
            rows.next();
            return rows.getInt(1);
        }
    }

    /** The same with a cursor: rows come in parts, by a named portal. */
    static void fetchInParts(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(10);
            int sum = 0;
            try (ResultSet rows = statement.executeQuery("SELECT generate_series(1, 100)")) {
                while (rows.next())
                    sum += rows.getInt(1);
            }
            check(sum == 5050, "rows in parts");
        }
        connection.commit();
    }

    static void prepared(Connection connection) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement("SELECT ? + 1")) {
            for (int i = 0; i < 20; i++) {
                check(increment(statement, i) == i + 1, "increment");
                connection.commit();
            }
        }
        fetchInParts(connection);
    }

    static void rollback(Connection connection) throws SQLException {
        String count = "SELECT count(*) FROM driver_rows WHERE driver = 'jdbc'";
        for (int n = 0; n < 2; n++) {
            try (PreparedStatement insert =
                    connection.prepareStatement("INSERT INTO driver_rows VALUES ('jdbc', ?)")) {
                insert.setInt(1, 1);
                insert.addBatch();
                insert.executeBatch();
            }
            if (n == 0)
                connection.rollback();
            else
                connection.commit();
            check(number(connection, count) == n, "rows after the end");
            connection.commit();
        }
    }

    static void error(Connection connection) throws SQLException {
        expectError("22012", () -> number(connection, "SELECT 1/0"));
        expectError("25P02", () -> number(connection, "SELECT 1"));
        connection.rollback();
        check(number(connection, "SELECT 1") == 1, "after an error");
        connection.rollback();
    }

    static void cancel(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.setQueryTimeout(1);
            expectError("57014", () -> statement.executeQuery("SELECT pg_sleep(60)"));
        }
        connection.rollback();
        check(number(connection, "SELECT 1") == 1, "after a cancel");
        connection.rollback();
    }

    static Void member(int number) throws SQLException {
        try (Connection connection = connect();
                PreparedStatement statement = connection.prepareStatement("SELECT ? + 1")) {
            connection.setAutoCommit(false);
            for (int i = 0; i < 10; i++) {
                check(increment(statement, number) == number + 1, "another's number");
                check(number(connection, "SELECT " + number) == number, "another's number");
                connection.commit();
            }
        }
        return null;
    }

    static void crowd() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(20);
        List<Future<Void>> members = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            int number = i;
            members.add(threads.submit(() -> member(number)));
        }
        try {
            for (Future<Void> one : members)
                one.get();
        } finally {
            threads.shutdownNow();
        }
    }

    public static void main(String[] arguments) throws Exception {
        try (Connection connection = connect()) {
            check(number(connection, "SELECT (current_user = 'app')::int") == 1, "current_user");
            System.out.println("connect");
            connection.setAutoCommit(false);
            prepared(connection);
            System.out.println("prepared");
            rollback(connection);
            System.out.println("rollback");
            error(connection);
            System.out.println("error");
            cancel(connection);
            System.out.println("cancel");
        }
        crowd();
        System.out.println("crowd");
    }
}
