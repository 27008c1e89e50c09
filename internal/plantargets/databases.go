package plantargets

// databases are clients of databases and of message brokers, what pools their connections,
// and those servers.
func databases() []Target {
	return []Target{
		{Name: "npgsql", Title: "Npgsql, a connection string", comment: "#", form: `
# Seconds, on every system. Old releases took milliseconds, on Windows only.
Tcp Keepalive=true;Tcp Keepalive Time={time};Tcp Keepalive Interval={intvl}
`, bySysctl: "It has no setting for the number of probes; the sysctl counts:", noTimeout: "Npgsql"},
		{Name: "sqlalchemy", Aliases: []string{"psycopg", "psycopg2", "psycopg3"}, Title: "SQLAlchemy and psycopg: libpq's keys", comment: "#", form: `
# For PostgreSQL. Seconds, and milliseconds in tcp_user_timeout.
engine = create_engine(URL, connect_args={
    "keepalives": 1,
    "keepalives_idle": {time},
    "keepalives_interval": {intvl},
    "keepalives_count": {probes},
    "tcp_user_timeout": {uto_ms},
})
`},
		{Name: "django", Title: "Django, settings.py: libpq's keys", comment: "#", form: `
# For PostgreSQL. Seconds, and milliseconds in tcp_user_timeout.
DATABASES["default"]["OPTIONS"] = {
    "keepalives": 1,
    "keepalives_idle": {time},
    "keepalives_interval": {intvl},
    "keepalives_count": {probes},
    "tcp_user_timeout": {uto_ms},
}
`},
		{Name: "jdbc", Aliases: []string{"pgjdbc", "connector-j", "mariadb-connector-j", "ojdbc"}, Title: "JDBC, properties of the drivers", comment: "#", form: `
# PostgreSQL, and MySQL Connector/J: on or off, with the times of the sysctls below.
tcpKeepAlive=true
# MariaDB Connector/J 3.0 and later, on Java 11 and later; seconds.
tcpKeepAlive=true
tcpKeepIdle={time}
tcpKeepInterval={intvl}
tcpKeepCount={probes}
# Oracle, on Java 11 and later; seconds.
oracle.net.keepAlive=true
oracle.net.TCP_KEEPIDLE={time}
oracle.net.TCP_KEEPINTERVAL={intvl}
oracle.net.TCP_KEEPCOUNT={probes}
# net.ipv4.tcp_keepalive_time = {time}
# net.ipv4.tcp_keepalive_intvl = {intvl}
# net.ipv4.tcp_keepalive_probes = {probes}
`, noTimeout: "JDBC"},
		{Name: "hikaricp", Aliases: []string{"hikari"}, Title: "HikariCP, properties of a pool", comment: "#", data: true, render: hikari},
		{Name: "mysql2", Title: "mysql2, MySQL on Node.js", comment: "//", render: pings("mysql2", "mysql.createPool({ enableKeepAlive: true, keepAliveInitialDelay: ", " });")},
		{Name: "mysqlconnector", Title: "MySqlConnector, a connection string of .NET", comment: "#", form: `
# Seconds.
Keepalive={time}
`, bySysctl: "It has no setting for the others; the sysctls count:", noTimeout: "MySqlConnector"},
		{Name: "sqlclient", Aliases: []string{"mssql", "sqlserver", "sql-server"}, Title: "Microsoft SQL Server, its clients", comment: "#", fixed: settings(30, 1, 9), form: `
# The number of probes is the sysctl's, 9 by default: net.ipv4.tcp_keepalive_probes = {probes}
`, noTimeout: "SqlClient"},
		{Name: "mongodb", Aliases: []string{"mongo", "pymongo", "mongoose"}, Title: "MongoDB, its drivers", comment: "#", fixed: settings(120, 10, 9), form: `
# Where a sysctl of the client's network namespace is smaller than these, it counts.
`, bySysctl: "The sysctls for the goal:", noTimeout: "MongoDB"},
		{Name: "kafka", Aliases: []string{"librdkafka"}, Title: "Kafka, librdkafka and its bindings", comment: "#", form: `
# On or off; the clients in Java have it on.
socket.keepalive.enable=true
# Whatever keepalive does, a broker closes what had no request for connections.max.idle.ms,
# 10 minutes by default.
`, bySysctl: "The times are the sysctls':", noTimeout: "Kafka"},
		{Name: "pgbouncer", Title: "PgBouncer, pgbouncer.ini", comment: ";", form: `
# Towards clients and towards backends alike. Seconds, and milliseconds in tcp_user_timeout.
[pgbouncer]
tcp_keepalive = 1
tcp_keepidle = {time}
tcp_keepintvl = {intvl}
tcp_keepcnt = {probes}
tcp_user_timeout = {uto_ms}
`, sides: bothSides},
		{Name: "proxysql", Title: "ProxySQL, its admin interface", comment: "--", form: `
# Towards clients. Seconds.
SET mysql-use_tcp_keepalive='true';
SET mysql-tcp_keepalive_time={time};
LOAD MYSQL VARIABLES TO RUNTIME;
SAVE MYSQL VARIABLES TO DISK;
# Towards backends it has no setting.
`, sides: bothSides, bySysctl: "It has no setting for the others; the sysctls count:", noTimeout: "ProxySQL"},
		{Name: "rabbitmq", Title: "RabbitMQ, advanced.config", comment: "%", form: `
# Options of TCP by Linux's numbers. A heartbeat of AMQP is data, and passes what ends TCP.
[{rabbit, [{tcp_listen_options, [
    {nodelay, true},
    {raw, 6, 4, <<{time}:32/native>>},  % TCP_KEEPIDLE, seconds
    {raw, 6, 5, <<{intvl}:32/native>>},  % TCP_KEEPINTVL
    {raw, 6, 6, <<{probes}:32/native>>},  % TCP_KEEPCNT
    {raw, 6, 18, <<{uto_ms}:32/native>>},  % TCP_USER_TIMEOUT, milliseconds
    {keepalive, true}]}]}].
`},
		{Name: "openldap", Aliases: []string{"ldap", "slapd", "libldap"}, Title: "OpenLDAP: clients, and slapd towards other servers", comment: "#", form: `
# IDLE:PROBES:INTERVAL, in this order. slapd.conf, in a database of type ldap:
keepalive {time}:{probes}:{intvl}
# milliseconds, 2.5 and later
tcp-user-timeout {uto_ms}
# In the line syncrepl of a replica: keepalive={time}:{probes}:{intvl}
# Clients, ldap.conf:
#   KEEPALIVE_IDLE {time}
#   KEEPALIVE_PROBES {probes}
#   KEEPALIVE_INTERVAL {intvl}
# What slapd accepts has keepalive on, with the times of the sysctls.
`},
	}
}

// hikari asks the idle connections of a pool whether they work, every 30 s at the soonest.
func hikari(t *text, v Values) {
	const least = 30
	if seconds(v.SSH.Interval) < least {
		t.note("HikariCP cannot do it: it asks every %d s at the soonest, and the goal needs every %d s.", least, seconds(v.SSH.Interval))
	} else {
		t.note("Milliseconds, and less than maxLifetime. It asks idle connections of the pool, which is\ndata to everything on the path.")
		t.line("keepaliveTime=%d", v.SSH.Interval.Milliseconds())
	}
	t.note("Those in use need keepalive of the driver: tcpka plan --for jdbc")
	t.line("dataSource.tcpKeepAlive=true")
}
