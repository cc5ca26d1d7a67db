// SPDX-License-Identifier: PostgreSQL

// database/sql with lib/pq, which sends channel_binding to the server as a setting of the session.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
	"sync"
	"time"

	"github.com/lib/pq"
)

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

func expectError(sqlstate pq.ErrorCode, err error) {
	var answer *pq.Error
	if !errors.As(err, &answer) || answer.Code != sqlstate {
		log.Fatalf("not %s but %v", sqlstate, err)
	}
}

func number(row *sql.Row) int {
	var n int
	must(row.Scan(&n))
	return n
}

func open() *sql.DB {
	db, err := sql.Open("postgres", os.Getenv("DATABASE_URL"))
	must(err)
	db.SetMaxOpenConns(1)
	return db
}

func prepared(db *sql.DB) {
	statement, err := db.Prepare("SELECT $1::int + 1")
	must(err)
	for i := 0; i < 20; i++ {
		tx, err := db.Begin()
		must(err)
		check(number(tx.Stmt(statement).QueryRow(i)) == i+1, "increment")
		must(tx.Commit())
	}
	must(statement.Close())
}

func rollback(db *sql.DB) {
	for n := 0; n < 2; n++ {
		tx, err := db.Begin()
		must(err)
		_, err = tx.Exec("INSERT INTO driver_rows VALUES ($1, $2)", "lib_pq", 1)
		must(err)
		if n == 0 {
			must(tx.Rollback())
		} else {
			must(tx.Commit())
		}
		count := "SELECT count(*) FROM driver_rows WHERE driver = 'lib_pq'"
		check(number(db.QueryRow(count)) == n, "rows after the end")
	}
}

func failure(db *sql.DB) {
	_, err := db.Exec("SELECT 1/$1::int", 0)
	expectError("22012", err)
	check(number(db.QueryRow("SELECT 1")) == 1, "after an error")
	tx, err := db.Begin()
	must(err)
	_, err = tx.Exec("SELECT 1/0")
	expectError("22012", err)
	_, err = tx.Exec("SELECT 1")
	expectError("25P02", err)
	must(tx.Rollback())
}

func cancel(db *sql.DB) {
	soon, done := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer done()
	_, err := db.ExecContext(soon, "SELECT pg_sleep(60)")
	expectError("57014", err)
	check(number(db.QueryRow("SELECT 1")) == 1, "after a cancel")
}

func member(mine int) {
	db := open()
	statement, err := db.Prepare("SELECT $1::int + 1")
	must(err)
	for i := 0; i < 10; i++ {
		tx, err := db.Begin()
		must(err)
		check(number(tx.Stmt(statement).QueryRow(mine)) == mine+1, "another's number")
		check(number(tx.QueryRow("SELECT $1::int", mine)) == mine, "another's number")
		must(tx.Commit())
	}
	must(db.Close())
}

func main() {
	db := open()
	var user string
	must(db.QueryRow("SELECT current_user").Scan(&user))
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
	must(db.Close())

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
