// SPDX-License-Identifier: PostgreSQL

// pgx with its pool: it prepares whatever it is asked, caches the statements by text, and pipelines
// batches. It sends channel_binding to the server as a setting of the session.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgconn"
	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
)

var background = context.Background()

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func check(holds bool, what string) {
	if !holds {
		log.Fatal("not so: ", what)
	}
}

func expectError(sqlstate string, err error) {
	var answer *pgconn.PgError
	if !errors.As(err, &answer) || answer.Code != sqlstate {
		log.Fatalf("not %s but %v", sqlstate, err)
	}
}

func number(row pgx.Row) int {
	var n int
	must(row.Scan(&n))
	return n
}

func open(connections int32) *pgxpool.Pool {
	config, err := pgxpool.ParseConfig(os.Getenv("DATABASE_URL"))
	must(err)
	config.MaxConns = connections
	pool, err := pgxpool.ConnectConfig(background, config)
	must(err)
	return pool
}

func prepared(db *pgxpool.Pool) {
	for i := 0; i < 20; i++ {
		must(db.BeginFunc(background, func(tx pgx.Tx) error {
			check(number(tx.QueryRow(background, "SELECT $1::int + 1", i)) == i+1, "increment")
			return nil
		}))
	}
}

func rollback(db *pgxpool.Pool) {
	for n := 0; n < 2; n++ {
		tx, err := db.Begin(background)
		must(err)
		_, err = tx.Exec(background, "INSERT INTO driver_rows VALUES ($1, $2)", "pgx", 1)
		must(err)
		if n == 0 {
			must(tx.Rollback(background))
		} else {
			must(tx.Commit(background))
		}
		count := "SELECT count(*) FROM driver_rows WHERE driver = 'pgx'"
		check(number(db.QueryRow(background, count)) == n, "rows after the end")
	}
}

func failure(db *pgxpool.Pool) {
	_, err := db.Exec(background, "SELECT 1/$1::int", 0)
	expectError("22012", err)
	check(number(db.QueryRow(background, "SELECT 1")) == 1, "after an error")
	tx, err := db.Begin(background)
	must(err)
	_, err = tx.Exec(background, "SELECT 1/0")
	expectError("22012", err)
	_, err = tx.Exec(background, "SELECT 1")
	expectError("25P02", err)
	must(tx.Rollback(background))
}

// A context that ends closes the connection; a cancel request by hand does not.
func cancel(db *pgxpool.Pool) {
	connection, err := db.Acquire(background)
	must(err)
	defer connection.Release()
	time.AfterFunc(300*time.Millisecond, func() {
		must(connection.Conn().PgConn().CancelRequest(background))
	})
	_, err = connection.Exec(background, "SELECT pg_sleep(60)")
	expectError("57014", err)
	check(number(connection.QueryRow(background, "SELECT 1")) == 1, "after a cancel")
}

// Many statements, one Sync: the first that fails ends it, and nothing of it stays.
func batch(db *pgxpool.Pool) {
	work := &pgx.Batch{}
	for i := 0; i < 50; i++ {
		work.Queue("SELECT $1::int * 2", i)
	}
	results := db.SendBatch(background, work)
	for i := 0; i < 50; i++ {
		check(number(results.QueryRow()) == 2*i, "a result of the batch")
	}
	must(results.Close())

	work = &pgx.Batch{}
	work.Queue("INSERT INTO driver_rows VALUES ('pgx batch', 1)")
	work.Queue("SELECT 1/$1::int", 0)
	work.Queue("INSERT INTO driver_rows VALUES ('pgx batch', 2)")
	results = db.SendBatch(background, work)
	_, err := results.Exec()
	must(err)
	_, err = results.Exec()
	expectError("22012", err)
	expectError("22012", results.Close())
	count := "SELECT count(*) FROM driver_rows WHERE driver = 'pgx batch'"
	check(number(db.QueryRow(background, count)) == 0, "rows of a batch that failed")
}

func copyIn(db *pgxpool.Pool) {
	n, err := db.CopyFrom(background, pgx.Identifier{"driver_rows"}, []string{"driver", "n"},
		pgx.CopyFromSlice(10000, func(i int) ([]interface{}, error) {
			return []interface{}{"pgx copy", int32(i)}, nil
		}))
	must(err)
	check(n == 10000, "rows copied")
	sum := "SELECT sum(n) FROM driver_rows WHERE driver = 'pgx copy'"
	check(number(db.QueryRow(background, sum)) == 9999*5000, "their sum")
}

func member(mine int) {
	db := open(1)
	defer db.Close()
	for i := 0; i < 10; i++ {
		must(db.BeginFunc(background, func(tx pgx.Tx) error {
			row := tx.QueryRow(background, "SELECT $1::int + 1", mine)
			check(number(row) == mine+1, "another's number")
			row = tx.QueryRow(background, "SELECT $1::int", mine)
			check(number(row) == mine, "another's number")
			return nil
		}))
	}
}

func main() {
	db := open(4)
	var user string
	must(db.QueryRow(background, "SELECT current_user").Scan(&user))
	check(user == "app", "current_user")
	fmt.Println("connect")
	prepared(db)
	fmt.Println("prepared")
	rollback(db)
	fmt.Println("rollback")
	failure(db)
	fmt.Println("error")
	cancel(db)
	fmt.Println("cancel")
	batch(db)
	fmt.Println("batch")
	copyIn(db)
	fmt.Println("copy")
	db.Close()

	var members sync.WaitGroup
	for i := 0; i < 20; i++ {
		members.Add(1)
		go func(mine int) {
			defer members.Done()
			member(mine)
		}(i)
	}
	members.Wait()
	fmt.Println("crowd")
}
