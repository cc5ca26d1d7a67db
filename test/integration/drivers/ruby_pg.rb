# SPDX-License-Identifier: PostgreSQL
# ruby-pg, with statements that the program names itself.

require 'pg'
require 'timeout'

URL = ENV.fetch('DATABASE_URL')

def check(holds, what)
  raise "not so: #{what}" unless holds
end

def expect_error(kind)
  yield
rescue kind
  nil
else
  raise "no #{kind}"
end

def increment(connection, number)
  connection.exec_prepared('increment', [number]).getvalue(0, 0).to_i
end

def number(connection, text, arguments = [])
  connection.exec_params(text, arguments).getvalue(0, 0).to_i
end

def prepared(connection)
  connection.prepare('increment', 'SELECT $1::int + 1')
  20.times do |i|
    connection.transaction { check(increment(connection, i) == i + 1, 'increment') }
  end
  connection.exec('DEALLOCATE increment')
  connection.prepare('increment', 'SELECT $1::int + 2')
  check(increment(connection, 1) == 3, 'the name is free again')
end

def rollback(connection)
  [0, 1].each do |n|
    expect_error(n.zero? ? ZeroDivisionError : StopIteration) do
      connection.transaction do
        connection.exec_params('INSERT INTO driver_rows VALUES ($1, $2)', ['ruby_pg', 1])
        raise ZeroDivisionError if n.zero?
      end
      raise StopIteration
    end
    count = "SELECT count(*) FROM driver_rows WHERE driver = 'ruby_pg'"
    check(number(connection, count) == n, 'rows after the end')
  end
end

def error(connection)
  expect_error(PG::DivisionByZero) { number(connection, 'SELECT 1/$1::int', [0]) }
  check(number(connection, 'SELECT 1') == 1, 'after an error')
  expect_error(PG::DivisionByZero) { connection.transaction { connection.exec('SELECT 1/0') } }
  check(number(connection, 'SELECT 1') == 1, 'after a transaction with an error')
end

def cancel(connection)
  connection.send_query('SELECT pg_sleep(60)')
  sleep 0.3
  check(connection.cancel.nil?, 'cancel')
  expect_error(PG::QueryCanceled) { connection.get_last_result }
  check(number(connection, 'SELECT 1') == 1, 'after a cancel')
end

def member(mine)
  connection = PG.connect(URL)
  connection.prepare('increment', 'SELECT $1::int + 1')
  10.times do
    connection.transaction do
      check(increment(connection, mine) == mine + 1, "another's number")
      check(number(connection, 'SELECT $1::int', [mine]) == mine, "another's number")
    end
  end
ensure
  connection&.close
end

Timeout.timeout(50) do
  connection = PG.connect(URL)
  check(connection.exec('SELECT current_user').getvalue(0, 0) == 'app', 'current_user')
  puts 'connect'
  prepared(connection)
  puts 'prepared'
  rollback(connection)
  puts 'rollback'
  error(connection)
  puts 'error'
  cancel(connection)
  puts 'cancel'
  connection.close
  Thread.report_on_exception = false
  Array.new(20) { |i| Thread.new { member(i) } }.each(&:join)
  puts 'crowd'
end
