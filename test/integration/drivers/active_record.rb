# SPDX-License-Identifier: PostgreSQL
# ActiveRecord as Rails configures it: its own pool, its prepared statements, its time zone by SET.

require 'active_record'
require 'timeout'

class Row < ActiveRecord::Base
  self.table_name = 'driver_rows'
  self.primary_key = nil
end

# Tells from the name that ActiveRecord gave it whether a statement was prepared.
PREPARED = Hash.new(0)
ActiveSupport::Notifications.subscribe('sql.active_record') do |*, payload|
  PREPARED[payload[:statement_name]] += 1 if payload[:statement_name]
end

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

def rows
  Row.where(driver: 'active_record')
end

def prepared
  20.times do |i|
    Row.transaction { check(Row.where(driver: "nobody", n: i).to_a.empty?, 'nobody has rows') }
  end
  check(PREPARED.values.max >= 20, 'one statement was used all the time')
end

def migrate
  ActiveRecord::Migration.verbose = false
  table = Class.new(ActiveRecord::Migration[6.1]) do
    def change
      create_table(:driver_things) { |t| t.string :name, index: { unique: true } }
    end
  end
  table.migrate(:up)
  check(ActiveRecord::Base.connection.index_exists?(:driver_things, :name), 'the index')
  table.migrate(:down)
  check(!ActiveRecord::Base.connection.table_exists?(:driver_things), 'the table is gone')
end

def rollback
  [0, 1].each do |n|
    Row.transaction do
      Row.create!(driver: 'active_record', n: 1)
      raise ActiveRecord::Rollback if n.zero?
    end
    check(rows.count == n, 'rows after the end')
  end
end

def error
  connection = ActiveRecord::Base.connection
  expect_error(ActiveRecord::StatementInvalid) { connection.select_value('SELECT 1/0') }
  check(connection.select_value('SELECT 1') == 1, 'after an error')
  Row.transaction do
    expect_error(ActiveRecord::StatementInvalid) do
      Row.transaction(requires_new: true) { connection.execute('SELECT 1/0') }
    end
    check(rows.count == 1, 'after a savepoint')
  end
end

def cancel
  connection = ActiveRecord::Base.connection
  Row.transaction do
    connection.execute('SET LOCAL statement_timeout = 300')
    expect_error(ActiveRecord::QueryCanceled) { connection.execute('SELECT pg_sleep(60)') }
    raise ActiveRecord::Rollback
  end
  check(connection.select_value('SHOW statement_timeout') == '0', 'after a cancel')
end

def member(mine)
  ActiveRecord::Base.connection_pool.with_connection do |connection|
    10.times do
      Row.transaction do
        Row.create!(driver: "member #{mine}", n: mine)
        check(Row.where(driver: "member #{mine}").sum(:n) % [mine, 1].max == 0, "another's number")
      end
      check(connection.select_value('SHOW timezone') == 'UTC', 'the time zone that it has set')
    end
  end
end

Timeout.timeout(50) do
  ActiveRecord::Base.establish_connection("#{ENV.fetch('DATABASE_URL')}&pool=20")
  user = ActiveRecord::Base.connection.select_value('SELECT current_user')
  check(user == 'app', 'current_user')
  puts 'connect'
  prepared
  puts 'prepared'
  migrate
  puts 'migrate'
  rollback
  puts 'rollback'
  error
  puts 'error'
  cancel
  puts 'cancel'
  ActiveRecord::Base.clear_active_connections!
  Thread.report_on_exception = false
  Array.new(20) { |i| Thread.new { member(i) } }.each(&:join)
  check(Row.where("driver LIKE 'member %'").count == 200, 'each row of the crowd')
  puts 'crowd'
end
