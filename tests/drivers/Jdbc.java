// Connector/J of MariaDB (Debian's libmariadb-java) against a server: java -cp JAR Jdbc.java HOST PORT. Exit code 3: it is not there.
// A line for each thing that does not hold, and a last line with the count. DRIVERS_SABOTAGE: see python.py.

import java.math.BigDecimal;
import java.math.BigInteger;
import java.sql.*;
import java.util.Arrays;

public class Jdbc {
    static int checks = 0, bad = 0;
    static final Object[][] TYPES = {
        {"TINYINT", -128}, {"SMALLINT", 32767}, {"INT", Integer.MIN_VALUE}, {"BIGINT", Long.MIN_VALUE},
        {"BIGINT UNSIGNED", new BigInteger("18446744073709551615")}, {"FLOAT", 1.5f}, {"DOUBLE", 3.141592653589793},
        {"DECIMAL(40,20)", new BigDecimal("-12345678901234567890.12345678901234567890")}, {"DATE", Date.valueOf("2024-02-29")},
        {"DATETIME(6)", Timestamp.valueOf("1999-12-31 23:59:59.999999")}, {"TIMESTAMP NULL", Timestamp.valueOf("2024-02-29 12:34:56")},
        {"TIME", Time.valueOf("12:34:56")}, {"VARCHAR(100)", "grüße \uD83D\uDE00 '\"\\\n%"}, {"MEDIUMTEXT", "t".repeat(100000)},
        {"VARBINARY(100)", new byte[] {0, -1, 39, 92, 10}}, {"ENUM('a','b')", "b"}, {"SET('x','y')", "x,y"}, {"JSON", "{\"a\": [1, null]}"},
        {"INT", null},
    };

    static void check(String name, boolean holds, Object why) {
        checks++;
        if (!holds) {
            bad++;
            System.out.println("Connector/J: " + name + ": " + why);
        }
    }

    static int code(Statement sql, String text) {
        try {
            sql.execute(text);
            return 0;
        } catch (SQLException error) {
            return error.getErrorCode();
        }
    }

    static Object found(ResultSet row, int at, Object like) throws SQLException {
        if (like instanceof byte[]) return row.getBytes(at);
        if (like instanceof Float) return row.getFloat(at);
        if (like instanceof Double) return row.getDouble(at);
        if (like instanceof BigInteger) return row.getBigDecimal(at).toBigInteger();
        if (like instanceof BigDecimal) return row.getBigDecimal(at);
        if (like instanceof Date) return row.getDate(at);
        if (like instanceof Timestamp) return row.getTimestamp(at);
        if (like instanceof Time) return row.getTime(at);
        if (like instanceof Integer) return row.getInt(at);
        if (like instanceof Long) return row.getLong(at);
        return row.getString(at);
    }

    static void session(String how, String url) throws SQLException {
        try (Connection db = DriverManager.getConnection(url, "root", ""); Statement sql = db.createStatement()) {
            sql.execute("DROP TABLE IF EXISTS from_java");
            StringBuilder columns = new StringBuilder(), names = new StringBuilder(), marks = new StringBuilder();
            for (int i = 0; i < TYPES.length; i++) {
                columns.append(", c").append(i).append(' ').append(TYPES[i][0]);
                names.append(i == 0 ? "c" : ", c").append(i);
                marks.append(i == 0 ? "?" : ", ?");
            }
            sql.execute("CREATE TABLE from_java (id INT AUTO_INCREMENT PRIMARY KEY" + columns + ")");
            String insert = "INSERT INTO from_java (" + names + ") VALUES (" + marks + ")";
            try (PreparedStatement put = db.prepareStatement(insert, Statement.RETURN_GENERATED_KEYS)) {
                for (int i = 0; i < TYPES.length; i++) put.setObject(i + 1, TYPES[i][1]);
                check(how + ": count", put.executeUpdate() == 1, "");
                ResultSet keys = put.getGeneratedKeys();
                check(how + ": key", keys.next() && keys.getInt(1) == 1, "");
            }
            if (System.getenv("DRIVERS_SABOTAGE") != null) sql.execute("UPDATE from_java SET c2 = 7");
            try (PreparedStatement get = db.prepareStatement("SELECT " + names + " FROM from_java WHERE id = ?")) {
                get.setInt(1, 1);
                ResultSet row = get.executeQuery();
                row.next();
                for (int i = 0; i < TYPES.length; i++) {
                    Object wanted = TYPES[i][1], got = found(row, i + 1, wanted);
                    boolean same = wanted instanceof byte[] ? Arrays.equals((byte[]) wanted, (byte[]) got)
                        : wanted == null ? got == null : wanted.equals(got);
                    check(how + ": " + TYPES[i][0], same, got);
                }
                ResultSetMetaData meta = row.getMetaData();
                check(how + ": metadata", meta.getColumnName(1).equals("c0") && meta.getTableName(1).equals("from_java"), "");
            }
            try (PreparedStatement many = db.prepareStatement("INSERT INTO from_java (c2) VALUES (?)")) {
                for (int i = 0; i < 50; i++) {
                    many.setInt(1, i);
                    many.addBatch();
                }
                check(how + ": batch", many.executeBatch().length == 50, "");
            }
            check(how + ": 1064", code(sql, "SELEC 1") == 1064, "");
            check(how + ": 1146", code(sql, "SELECT * FROM nowhere") == 1146, "");
            check(how + ": 1062", code(sql, "INSERT INTO from_java (id) VALUES (1)") == 1062, "");
            db.setAutoCommit(false);
            sql.execute("DELETE FROM from_java");
            db.rollback();
            db.setAutoCommit(true);
            ResultSet count = sql.executeQuery("SELECT COUNT(*) FROM from_java");
            check(how + ": rollback", count.next() && count.getInt(1) == 51, "");
            DatabaseMetaData about = db.getMetaData();
            int seen = 0;
            for (ResultSet all = about.getColumns("drivers", null, "from_java", null); all.next();) seen++;
            check(how + ": columns", seen == TYPES.length + 1, seen);
            boolean key = false;
            for (ResultSet all = about.getPrimaryKeys("drivers", null, "from_java"); all.next();) key |= all.getString("COLUMN_NAME").equals("id");
            check(how + ": primary key", key, "");
            sql.setQueryTimeout(1);
            long began = System.nanoTime();
            int ended = code(sql, "SELECT SUM(a.id * b.id + c.id * d.id + e.id) FROM from_java a, from_java b, from_java c, from_java d, from_java e");
            check(how + ": cancelled", ended != 0 && System.nanoTime() - began < 6_000_000_000L, ended);
            sql.setQueryTimeout(0);
            check(how + ": goes on after a cancel", code(sql, "SELECT 1") == 0, "");
        }
    }

    public static void main(String[] args) throws Exception {
        try {
            Class.forName("org.mariadb.jdbc.Driver");
        } catch (ClassNotFoundException error) {
            System.out.println("Connector/J: not there: " + error.getMessage());
            System.exit(3);
        }
        String base = "jdbc:mariadb://" + args[0] + ":" + args[1];
        try (Connection db = DriverManager.getConnection(base + "/", "root", ""); Statement sql = db.createStatement()) {
            sql.execute("CREATE DATABASE IF NOT EXISTS drivers");
        }
        String url = base + "/drivers?allowPublicKeyRetrieval=true&";
        session("plain", url);
        session("prepared", url + "useServerPrepStmts=true");
        session("TLS, prepared", url + "useServerPrepStmts=true&useSSL=true&trustServerCertificate=true");
        session("batched", url + "useBulkStmts=false&rewriteBatchedStatements=true");
        System.out.println("Connector/J: " + checks + " checks, " + bad + " do not hold");
        System.exit(bad == 0 ? 0 : 1);
    }
}
