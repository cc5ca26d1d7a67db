// SPDX-License-Identifier: PostgreSQL
// PgJDBC on the console, in both of its protocols. From the fifth execution on, a statement has a name
// on the server and results come in binary.

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;

public class ConsoleJdbc {
    static void check(boolean holds, String what) {
        if (!holds)
            throw new AssertionError(what);
    }

    static Connection connect(String mode) throws SQLException {
        return DriverManager.getConnection(System.getenv("JDBC_URL") + "&preferQueryMode=" + mode);
    }

    static void look(Connection connection) throws SQLException {
        try (PreparedStatement pools = connection.prepareStatement("SHOW POOLS")) {
            for (int i = 0; i < 10; i++) {
                try (ResultSet rows = pools.executeQuery()) {
                    check(rows.getMetaData().getColumnCount() == 17, "columns");
                    check(rows.next() && rows.getString("database").equals("app"), "database");
                    check(rows.getInt("cl_active") == 1 && rows.getObject(17) == null, "figures");
                }
            }
        }
        try (PreparedStatement stats = connection.prepareStatement("SHOW STATS")) {
            for (int i = 0; i < 10; i++) {
                try (ResultSet rows = stats.executeQuery()) {
                    rows.next();
                    check(rows.getLong("total_query_count") == 1, "queries");
                    check(rows.getBigDecimal("total_received").signum() > 0, "bytes");
                }
            }
        }
    }

    static void order(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            statement.execute("SHOW STATE; SHOW VERSION");
            check(statement.getMoreResults(), "the second result");
            statement.executeUpdate("SET query_timeout = '7s'");
            statement.execute("PAUSE second");
            statement.execute("RESUME second");
            statement.execute("SHOW HELP");
            check(statement.getWarnings().getMessage().equals("Console usage"), "help");
            statement.execute("SELECT 1");
            check(false, "SELECT 1 is a command");
        } catch (SQLException error) {
            check("42601".equals(error.getSQLState()), error.toString());
        }
        check(connection.isValid(5), "the connection is valid");
    }

    public static void main(String[] arguments) throws Exception {
        for (String mode : new String[] {"simple", "extended", "extendedForPrepared"}) {
            try (Connection connection = connect(mode)) {
                check(connection.getMetaData().getDatabaseProductName().equals("PostgreSQL"), "product");
                look(connection);
                order(connection);
            }
            System.out.println(mode);
        }
    }
}
