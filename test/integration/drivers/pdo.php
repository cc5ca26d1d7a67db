<?php
// SPDX-License-Identifier: PostgreSQL
// PDO, with prepared statements of the protocol, and DEALLOCATE when an object of theirs goes.

declare(strict_types=1);

function connect(): PDO
{
    $url = parse_url(getenv('DATABASE_URL'));
    parse_str($url['query'], $options);
    $words = ['host' => $url['host'], 'port' => $url['port'], 'dbname' => ltrim($url['path'], '/')] + $options;
    $dsn = 'pgsql:' . http_build_query($words, '', ';');
    $attributes = [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION, PDO::ATTR_STRINGIFY_FETCHES => false];
    return new PDO($dsn, $url['user'], rawurldecode($url['pass']), $attributes);
}

function check(bool $holds, string $what): void
{
    if (!$holds) {
        fwrite(STDERR, "not so: $what\n");
        exit(1);
    }
}

function expect_error(string $sqlstate, callable $work): void
{
    try {
        $work();
    } catch (PDOException $error) {
        check($error->getCode() === $sqlstate, $error->getMessage());
        return;
    }
    check(false, "error $sqlstate");
}

function value(PDO $connection, string $text, array $arguments = [])
{
    $statement = $connection->prepare($text);
    $statement->execute($arguments);
    return $statement->fetchColumn();
}

function prepared(PDO $connection): void
{
    $statement = $connection->prepare('SELECT ?::int + 1');
    for ($i = 0; $i < 20; $i++) {
        $connection->beginTransaction();
        $statement->execute([$i]);
        check($statement->fetchColumn() === $i + 1, 'increment');
        $connection->commit();
    }
}

function rollback(PDO $connection): void
{
    foreach ([0, 1] as $n) {
        $connection->beginTransaction();
        $connection->prepare('INSERT INTO driver_rows VALUES (?, ?)')->execute(['pdo', 1]);
        $n ? $connection->commit() : $connection->rollBack();
        $count = "SELECT count(*) FROM driver_rows WHERE driver = 'pdo'";
        check($connection->query($count)->fetchColumn() === $n, 'rows after the end');
    }
}

function error(PDO $connection): void
{
    expect_error('22012', fn () => value($connection, 'SELECT 1/?::int', [0]));
    check(value($connection, 'SELECT ?::int', [1]) === 1, 'after an error');
    $connection->beginTransaction();
    expect_error('22012', fn () => $connection->exec('SELECT 1/0'));
    expect_error('25P02', fn () => $connection->exec('SELECT 1'));
    $connection->rollBack();
}

// It has no cancel.
function time_out(PDO $connection): void
{
    $connection->beginTransaction();
    $connection->exec('SET LOCAL statement_timeout = 300');
    expect_error('57014', fn () => $connection->exec('SELECT pg_sleep(60)'));
    $connection->rollBack();
    check(value($connection, 'SELECT ?::int', [1]) === 1, 'after a time-out');
}

// One thread: the connections take turns.
function crowd(): void
{
    $members = array_map(fn () => connect(), range(1, 20));
    $statements = array_map(fn (PDO $member) => $member->prepare('SELECT ?::int + 1'), $members);
    for ($i = 0; $i < 10; $i++) {
        foreach ($members as $number => $member) {
            $member->beginTransaction();
            $statements[$number]->execute([$number]);
            check($statements[$number]->fetchColumn() === $number + 1, "another's number");
            check(value($member, 'SELECT ?::int', [$number]) === $number, "another's number");
            $member->commit();
        }
    }
}

$connection = connect();
check(value($connection, 'SELECT current_user') === 'app', 'current_user');
echo "connect\n";
prepared($connection);
echo "prepared\n";
rollback($connection);
echo "rollback\n";
error($connection);
echo "error\n";
time_out($connection);
echo "cancel\n";
crowd();
echo "crowd\n";
