# Texts that are numbers where a number is wanted, dates of few digits, BIT_* over binary strings, latin1 beside binary strings.
SET NAMES utf8mb4;
select sum(date_add('2024-01-01', interval 1 day)) a, date_add('2024-01-01', interval 1 day)+0 b, date_add('2024-01-01 10:00:00', interval 1 second)+0 c, date_add('2024-01-01 10:00:00', interval 1 microsecond)+0 d, -date_add('2024-01-01', interval 1 day) e, abs(date_add('2024-01-01', interval 1 day)) f;
select round(date_add('2024-01-01', interval 1 hour)) a, cast(date_add('2024-01-01', interval 1 day) as signed) b, cast(date_add('2024-01-01', interval 1 day) as decimal(20,2)) c, date_add('2024-01-01', interval 1 day) | 0 d, date_add('2024-01-01', interval 1 day) = 20240102 e, date_add('2024-01-01', interval 1 day) in (20240102) f, sqrt(date_add('2024-01-01', interval 1 day)) g;
select if(1, date'2024-01-01', 'x')+0 a, if(1,date'2024-01-01', 3)+0 b, case when 1 then date'2024-01-01' else 'abc' end + 0 c, case when 1 then timestamp'2024-01-01 10:00:00' else 2.5 end + 0 d, greatest(date'2024-01-01', '2023-01-01') + 0 e, least(date'2024-01-01', 20250101)+0 f, coalesce(date'2024-01-01', 'x')+0 g, ifnull(date'2024-01-01','x')+0 h, nullif(date'2024-01-01','2024-02-01')+0 i;
select sum(if(1, time'10:00:00', 'x')) a, if(1, time'10:00:00', 'x')+0 b, if(1, timestamp'2024-01-01 10:00:00.123456', 'x')+0 b2, greatest(time'10:00:00', 'x') +0 c, abs(if(1,date'2024-01-01','x')) e, cast(if(1,date'2024-01-01','x') as signed) f, cast(if(1,time'10:20:30','x') as decimal(20,3)) g, if(1,date'2024-01-01','x') | 0 h, -if(1,date'2024-01-01','x') i, if(1,date'2024-01-01','x')=20240101 j;
@loose
select month(5) a, day(5) b, year(5) c, month(0) d, day(100) e, month(101) f, year(101) g, month(70) h, quarter(99) i, dayofyear(5) j, to_days(5) k, last_day(5) l, date(5) m, month(5.5) n, month(-5) o, hour(cast(2024 as year)) p, time(cast(2024 as year)) q, minute(cast(2024 as year)) r, second(cast(2024 as year)) s, time_to_sec(cast(2024 as year)) t;
@loose
select bit_and(b) a, bit_or(b) b, bit_xor(b) c, hex(bit_and(b)) d from (select cast('ab' as binary(2)) b union all select cast('cd' as binary(2))) t;
select 1.5 | 0 a, 1.5e0|0 b, 2.5e0|0 c, 1e20|0 e, 1.8e19|0 g, ~1.5e0 h, 3.7e0 & 255 i, 1e0 << 1.5 j, bit_count(2.5e0) k, 2.5 | 0 l, '2.5'|0 m;
@loose
select case when 1 then 1 else 2.50 end a, if(1, 3, 1.25) b, ifnull(3, 1.25) c, coalesce(3,1.25) d, greatest(3,1.25) e, least(3,10.25) f, case when 1 then 1 else 2.50 end + 0 g, concat(if(1,3,1.25)) h, concat(case when 1 then 1 else 2.50 end) i, nullif(1, 2.5) j;
@loose
select convert('ä' using latin1) = cast('ä' as binary) a, convert('ä' using latin1) = x'E4' b, hex(concat(convert('ä' using latin1), x'00')) c, convert('ä' using latin1) < x'F0' d, greatest(convert('ä' using latin1), x'00') = x'e4' e, x'E4' in (convert('ä' using latin1)) f, locate(x'E4', convert('ä' using latin1)) g, hex(replace(convert('ä' using latin1), x'E4', 'x')) h, convert('ä' using latin1) like x'E4' i, strcmp(convert('ä' using latin1), x'E4') j;
select greatest('10','9')+0 a, least('10','9')+0 b, greatest('10','9') c, greatest('10', 9) d, greatest(date'2024-01-01', 5)+0 e, abs(greatest('10','9')) f, sum(greatest('10','9')) g, str_to_date('2024-01-01','%Y-%m-%d')+0 h, addtime('10:00:00','1:00:00')+0 i, sum(addtime('10:00:00','1:00:00')) j, addtime('2024-01-01 10:00:00','1:00:00')+0 l, timestamp('2024-01-01')+0 m;
@loose
select if(1, 5, 'x')+0 a, if(1, 5.5, 'x')+0 b, if(1,x'41','x')+0 c, if(0, 1, x'41') + 0 d, case when 1 then x'41' end + 0 e, ifnull(x'41', 'a')+0 f, if(1, 1e300, 'x')+0 g, if(1, 12345678901234567890, 'x')+0 h, if(1, 12345678901234567890, 'x')|0 i, if(1, cast(5 as json), 'x')+0 j, if(1, cast(1.5 as decimal(5,2)), 'x') div 1 k, if(1,date'2024-01-01','x') div 1 l;
@loose
select if(1,date'2024-01-01','x') is true a, not if(1,date'2024-01-01','x') b, if(1,time'00:00:00','x') is true c, if(1, time'00:00:00','x') and 1 d, if(1,date'2024-01-01','x') between 20240101 and 20240102 e, if(1,date'2024-01-01','x') in (20240101, 'y') f, if(1,date'2024-01-01','x') <=> 20240101.0 g, sqrt(if(1,date'2024-01-01','x')) h, mod(if(1,date'2024-01-01','x'), 10) i, round(if(1,date'2024-01-01','x'),-2) j, truncate(if(1,date'2024-01-01','x'),1) k, floor(if(1,date'2024-01-01','x')) l, sign(if(1,date'2024-01-01','x')) m, pow(if(1,date'2024-01-01','x'),1) n, bit_count(if(1,date'2024-01-01','x')) o, conv(if(1,date'2024-01-01','x'),10,16) p, hex(if(1,date'2024-01-01','x')) q, repeat('a',if(1,time'00:00:05','x')) r, substring('abcdefghijk', if(1, time'00:00:05','x')) s, char(if(1,time'00:01:05','x')) t, elt(if(1,time'00:00:02','x'),'a','b') u, avg(if(1,date'2024-01-01','x')) w, bit_or(if(1,date'2024-01-01','x')) y;
select 1.5 | 0 a, 1.5e0|0 b, 2.5e0|0 c, 1e20|0 e,  1.8e19|0 g, ~1.5e0 h, 3.7e0 & 255 i, 1e0 << 1.5 j, bit_count(2.5e0) k, 2.5 | 0 l, '2.5'|0 m, 3.5e0|0 n;
create table nn(d double, f float, c decimal(10,2), y year);
insert into nn values (1.5,2.5,3.5,2024),(-1.5,-2.5,-3.5,1901),(0.5,3.5,null,null);
@loose
select hour(y), time(y), minute(y), second(y), microsecond(y), time_to_sec(y), y+0, date(y), month(y), dayofyear(y), date_add(y, interval 1 day), addtime(y,1), timediff(y,1), extract(hour from y), extract(year from y), cast(y as time), cast(y as date), cast(y as datetime), to_days(y), week(y), date_format(y,'%Y-%m-%d %H'), time_format(y, '%H:%i:%s'), unix_timestamp(y), last_day(y),year(y) from nn;
select greatest(date'2024-01-01', 5) a, least(date'2024-01-01', 5) b, greatest(date'2024-01-01', '2023-1-1') c, greatest('2023-1-1', date'2022-01-01') d, greatest(timestamp'2024-01-01 10:00:00', '2024-01-02') e, least(time'10:00:00','9:00:00') f, greatest(time'10:00:00', 5) g, greatest(time'10:00:00', date'2024-01-01') h, least(date'2024-01-01', timestamp'2024-01-01 10:00:00') i, greatest(date'2024-01-01', 20250101) j;
select cast(if(1,date'2024-01-01','x') as double) a, cast(if(1,time'00:00:05','x') as decimal(10,2)) b, cast(date_add('2024-01-01', interval 1 day) as double) c, time'00:00:05' is true d, if(1,time'00:00:05','x') is true e, date_add('2024-01-01', interval 1 day) is true f, 1+ if(1,time'00:00:05','x') g, ~if(1,time'00:00:05','x') h;
@loose
select bit_and(x) a, bit_or(x) b, bit_xor(x) c, hex(bit_and(y)), hex(bit_or(y)), bit_and(z), bit_or(h) from (select cast(null as binary(2)) x, cast('ab' as binary(3)) y, 'a' z, x'0f' h) t;
@loose
select hex(bit_and(x)) a, hex(bit_or(x)) b, hex(bit_xor(x)) c from (select cast('ab' as binary(2)) x union all select null) t;
@loose
select bit_and(x'0f0f') a, bit_or(_binary x'0f0f') b, bit_or(cast('x' as char)) c;
create table b (g int, v varbinary(4), b binary(2), bl blob);
insert into b values (1,'ab','ab','ab'),(1,'cd','cd','cd'),(2,null,null,null);
@loose
select g, bit_and(v), hex(bit_or(b)), hex(bit_xor(v)), hex(bit_and(bl)) from b group by g;
@loose
select bit_and(v), hex(bit_or(b)), hex(bit_xor(v)) from b where g > 5;
insert into b values (1,'abc','x','x');
@loose
select bit_and(v) from b;
@loose
select bit_or(b) from b;
@loose
select bit_and(v) over () from b where g = 1 and v <> 'abc';
create table df (a int, b int default (a + 1), d int default (b * 2));
insert into df (a) values (5);
insert into df values (7, default, default);
insert into df (a, b) values (9, 1), (10, default);
insert into df () values ();
select * from df;
insert into df set a = 3;
replace into df (a) values (8);
insert into df (a) select 20;
select * from df;
show create table df;
insert into df (a,b) values (1, default(b));
update df set b = default where a = 5;
select * from df where a=5;
create table df2 (a int default (b), b int default 5);
create table df3 (a int default (b), b int default (a));
create table df4 (id int auto_increment primary key, x int default (id));
create table df5 (a int default (zz));
alter table df add column e int default (a + 100);
select * from df;
create table df9 (a int, b int default (a + 1), k int auto_increment primary key);
alter table df9 rename column a to z;
alter table df9 drop column a;
alter table df9 change a q int;
alter table df9 modify a bigint;
show create table df9;
alter table df9 drop column b, drop column a;
create table g1 (a int default (b+1), b int default (5));
create table g3 (a int, b int default (g3.a + 1));
show create table g3;
insert into g3 (a) values (1) , (2);
select * from g3;
insert into g3 (a) values (1) on duplicate key update b = default;
update g3 set a = 10, b = default;
select * from g3;
update g3 set b = default, a = 20;
select * from g3;
insert into g3 (b, a) values (a, 7);
select * from g3;
insert into g3 values (default, default);
select * from g3;
create table g4 like g3;
insert into g4(a) values (3);
select * from g4;
