-- The tables that the legitimate corpus speaks of, so that a test can show that each query is valid on a real server.
CREATE TABLE customers (id bigint PRIMARY KEY, name text, email text, city text, country text, vip boolean,
  balance numeric(12, 2), birth_date date, attributes jsonb, created_at timestamptz);
CREATE TABLE purchases (id bigint PRIMARY KEY, customer_id bigint, ordered_at timestamp, status text, amount numeric(12, 2), channel text);
CREATE TABLE products (id bigint PRIMARY KEY, name text, category text, price numeric(12, 2), stock int, weight double precision);
CREATE TABLE purchase_lines (purchase_id bigint, product_id bigint, quantity int, price numeric(12, 2));
CREATE TABLE departments (id bigint PRIMARY KEY, name text, budget numeric);
CREATE TABLE employees (id bigint PRIMARY KEY, name text, department_id bigint, manager_id bigint, salary numeric, hired_on date, left_on date);
CREATE TABLE events (id bigint PRIMARY KEY, user_id bigint, kind text, at timestamptz, payload jsonb, duration_ms double precision);
CREATE TABLE readings (sensor_id bigint, at timestamptz, value double precision);
CREATE TABLE tickets (id bigint PRIMARY KEY, subject text, priority int, opened_at timestamp, closed_at timestamp);
CREATE TABLE bench_rows (id bigint PRIMARY KEY, uuid uuid, name text, email text, status text, amount numeric(10, 2), category text,
  description text, metadata jsonb, created_at timestamp, updated_at timestamp);
CREATE TABLE region (r_regionkey int, r_name text, r_comment text);
CREATE TABLE nation (n_nationkey int, n_name text, n_regionkey int, n_comment text);
CREATE TABLE supplier (s_suppkey bigint, s_name text, s_address text, s_nationkey int, s_phone text, s_acctbal numeric, s_comment text);
CREATE TABLE customer (c_custkey bigint, c_name text, c_address text, c_nationkey int, c_phone text, c_acctbal numeric,
  c_mktsegment text, c_comment text);
CREATE TABLE part (p_partkey bigint, p_name text, p_mfgr text, p_brand text, p_type text, p_size int, p_container text,
  p_retailprice numeric, p_comment text);
CREATE TABLE partsupp (ps_partkey bigint, ps_suppkey bigint, ps_availqty int, ps_supplycost numeric, ps_comment text);
CREATE TABLE orders (o_orderkey bigint, o_custkey bigint, o_orderstatus text, o_totalprice numeric, o_orderdate date,
  o_orderpriority text, o_clerk text, o_shippriority int, o_comment text);
CREATE TABLE lineitem (l_orderkey bigint, l_partkey bigint, l_suppkey bigint, l_linenumber int, l_quantity numeric,
  l_extendedprice numeric, l_discount numeric, l_tax numeric, l_returnflag text, l_linestatus text, l_shipdate date,
  l_commitdate date, l_receiptdate date, l_shipinstruct text, l_shipmode text, l_comment text);
