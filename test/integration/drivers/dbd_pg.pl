# SPDX-License-Identifier: PostgreSQL
# DBD::Pg, which names statements on the server and deallocates them when an object of theirs goes.

use strict;
use warnings;
use DBI;

local $| = 1;

sub connect_to_it {
    my ($user, $password, $host, $port, $database, $options) =
        $ENV{DATABASE_URL} =~ m{^postgresql://(.*?):(.*?)\@(.*?):(\d+)/(.*?)\?(.*)$} or die 'URL';
    $password =~ s/%(..)/chr(hex($1))/ge;
    $options =~ tr/&/;/;
    return DBI->connect("dbi:Pg:host=$host;port=$port;dbname=$database;$options", $user, $password,
        { RaiseError => 1, PrintError => 0, AutoCommit => 1 });
}

sub check {
    my ($holds, $what) = @_;
    die "not so: $what\n" unless $holds;
}

sub value {
    my ($connection, $text, @arguments) = @_;
    return scalar $connection->selectrow_array($text, undef, @arguments);
}

sub expect_error {
    my ($connection, $sqlstate, $work) = @_;
    check(!defined(eval { $work->(); 1 }), "error $sqlstate");
    check($connection->state eq $sqlstate, "$sqlstate, not " . $connection->state);
}

sub prepared {
    my ($connection) = @_;
    for (1 .. 2) {
        my $statement = $connection->prepare('SELECT ?::int + 1');
        for my $i (0 .. 9) {
            $connection->begin_work;
            $statement->execute($i);
            check($statement->fetchrow_array == $i + 1, 'increment');
            $connection->commit;
        }
    }
}

sub roll_back {
    my ($connection) = @_;
    for my $n (0, 1) {
        $connection->begin_work;
        $connection->do('INSERT INTO driver_rows VALUES (?, ?)', undef, 'dbd_pg', 1);
        $n ? $connection->commit : $connection->rollback;
        my $count = value($connection, 'SELECT count(*) FROM driver_rows WHERE driver = ?', 'dbd_pg');
        check($count == $n, 'rows after the end');
    }
}

sub error {
    my ($connection) = @_;
    expect_error($connection, '22012', sub { value($connection, 'SELECT 1/?::int', 0) });
    check(value($connection, 'SELECT ?::int', 1) == 1, 'after an error');
    $connection->begin_work;
    expect_error($connection, '22012', sub { $connection->do('SELECT 1/0') });
    expect_error($connection, '25P02', sub { $connection->do('SELECT 1') });
    $connection->rollback;
}

sub cancel {
    my ($connection) = @_;
    $connection->do('SELECT pg_sleep(60)', { pg_async => 1 });    # DBD::Pg::PG_ASYNC
    select(undef, undef, undef, 0.3);
    check($connection->pg_cancel, 'cancel');
    check(value($connection, 'SELECT ?::int', 1) == 1, 'after a cancel');
}

# One thread: the connections take turns.
sub crowd {
    my @members = map { connect_to_it() } 1 .. 20;
    my @statements = map { $_->prepare('SELECT ?::int + 1') } @members;
    for (1 .. 10) {
        for my $number (0 .. $#members) {
            my $member = $members[$number];
            $member->begin_work;
            $statements[$number]->execute($number);
            check($statements[$number]->fetchrow_array == $number + 1, "another's number");
            check(value($member, 'SELECT ?::int', $number) == $number, "another's number");
            $member->commit;
        }
    }
}

my $connection = connect_to_it();
check(value($connection, 'SELECT current_user') eq 'app', 'current_user');
print "connect\n";
prepared($connection);
print "prepared\n";
roll_back($connection);
print "rollback\n";
error($connection);
print "error\n";
cancel($connection);
print "cancel\n";
crowd();
print "crowd\n";
