# Temporal functions, with the session in UTC.
# Values, warnings and errors; the metadata of functions is compared in expressions.sql.
SET time_zone = '+00:00';
@loose
SELECT lpad('a',5,''), lpad('abc',2,''), rpad('a',-1,'x'), lpad('a',3,'xyz'), lpad('héllo',7,'é'), repeat('a',-1), repeat('ab',2.6), space(3), space(-1);
@loose
SELECT year('abc'), year('2024-00-00'), month('2024-13-01'), day('0000-00-00'), hour('abc'), hour('12:34:56'), hour('2024-01-02 03:04:05'), minute('12:60:00'), second('12:34:56.9'), microsecond('12:34:56.9');
@loose
SELECT dayname('abc'), dayname('2024-00-00'), dayofweek('2024-01-07'), weekday('2024-01-07'), dayofyear('2024-12-31'), quarter('2024-05-01'), monthname('2024-02-01'), last_day('2024-02-10'), last_day('2024-00-10'), last_day('abc');
@loose
SELECT to_days('abc'), from_days(366), from_days(365), from_days(3652424), to_seconds('2009-11-29'), to_seconds('2009-11-29 13:43:32');
@loose
SELECT datediff('2024-01-02 23:59:59','2024-01-01'), datediff('abc','2024-01-01'), datediff('2024-00-01','2024-01-01');
@loose
SELECT timediff('10:00:00','08:30:00.5'), timediff('2024-01-02 00:00:00','2024-01-01 00:00:01'), timediff('2024-01-02 00:00:00','10:00:00'), timediff('2000-01-01 00:00:00','2001-01-01 00:00:00');
@loose
SELECT addtime('10:00:00','01:30:00'), addtime('2024-01-01 10:00:00','14:30:00.5'), subtime('10:00:00','11:00:00'), addtime('2024-01-01','1:0:0'), addtime('abc','1:0:0'), addtime(cast('2024-01-01' as date),'1:0:0'), addtime(cast('10:00:00' as time),'01:30:00');
@loose
SELECT date('2024-01-02 03:04:05'), date('abc'), time('2024-01-02 03:04:05.5'), time('abc'), timestamp('2024-01-02'), timestamp('2024-01-02','12:00:00'), timestamp('2024-01-02 03:04:05.123');
@loose
SELECT makedate(2024,60), makedate(2024,0), makedate(24,1), makedate(69,1),makedate(70,1), makedate(2024,366+1), maketime(12,34,56), maketime(12,34,56.789), maketime(-1,2,3), maketime(900,0,0), maketime(1,60,0), maketime(1,1,61);
@loose
SELECT sec_to_time(3661), sec_to_time(3661.5), sec_to_time(-5), sec_to_time(9999999), time_to_sec('01:01:01'), time_to_sec('2024-01-01 01:01:01'), period_add(202401,5), period_add(2401,-1), period_diff(202405,202312), sec_to_time('abc');
@loose
SELECT date_format('2024-01-02 15:04:05.123456','%a %b %c %D %d %e %f %H %h %I %i %j %k %l %M %m %p %r %S %s %T %U %u %V %v %W %w %X %x %Y %y %% %z'), date_format('2024-01-02','%H:%i'), date_format('abc','%Y'), date_format('2024-00-00','%Y-%m-%d %M %W'), date_format('2024-01-01',''), date_format('2024-01-21','%D'), date_format('2024-01-22','%D'), date_format('2024-01-13','%D');
@loose
SELECT time_format('25:04:05.5','%H %k %h %i %s %f %p %r %T %I %l'), time_format('2024-01-02 15:04:05','%H'), time_format('100:00:00','%H %k %h');
@loose
SELECT str_to_date('01,5,2013','%d,%m,%Y'), str_to_date('May 1, 2013','%M %d,%Y'), str_to_date('abc','%Y'), str_to_date('10:30:15','%H:%i:%s'), str_to_date('2024-01-02 03:04:05.5','%Y-%m-%d %H:%i:%s.%f'), str_to_date('9','%m'), str_to_date('04/31/2004', '%m/%d/%Y'), str_to_date('00/00/0000', '%m/%d/%Y'), str_to_date('10:30 PM','%h:%i %p'), str_to_date('Jan 5 24','%b %e %y');
@loose
SELECT unix_timestamp('2024-01-02 03:04:05'), unix_timestamp('2024-01-02 03:04:05.123'), unix_timestamp('1969-01-01'), unix_timestamp('abc'), unix_timestamp('2039-01-01'), from_unixtime(0), from_unixtime(1704164645), from_unixtime(1704164645.123), from_unixtime(-1), from_unixtime(1704164645,'%Y %D %M'), from_unixtime(32536771199), from_unixtime(32536771200);
@loose
SELECT convert_tz('2024-01-02 03:04:05','+00:00','+05:30'), convert_tz('2024-01-02 03:04:05','UTC','Europe/Paris'), convert_tz('9999-01-02 03:04:05','+00:00','+05:30'), convert_tz('1969-12-31 23:00:00','+00:00','-01:00');
@loose
SELECT week('2024-01-01'), weekofyear('2024-01-01'), yearweek('2024-01-01'), yearweek('2024-12-31',1);
@loose
SELECT extract(day_microsecond from '2024-01-02 03:04:05.6'), extract(week from '2024-01-07');
@loose
SELECT EXTRACT(YEAR from 'abc'), date_add('abc', interval 1 day), timestampdiff(day,'abc','2024-01-01'), timestampadd(day,1,'abc');
@loose
SELECT date_format('2024-02-29 00:05:06','%l %I %h %k %r'), date_format(20240102,'%Y'), date_format(null,'%Y'), date_format('10:11:12','%H'), time_format(null,'%H');
@loose
SELECT time('10:11'), time(101112), time('2024-01-02'), time(10.5), timestamp('abc'), timestamp('2024-01-02 10:00:00','25:00:00'), date(20240102), date(20240102030405), date('2024-00-00');
@loose
SELECT dayofmonth('2024-01-00'), dayofyear('2024-00-01'), weekday('2024-00-00'), week('2024-00-00'), year(20240102), year('0000-00-00'), month(null), hour(101112), hour(1e5), second('-12:34:56'), hour('-12:34:56'), hour('300:00:00'), microsecond('2024-01-02 03:04:05.000007');
@loose
SELECT sec_to_time(3661.123456), sec_to_time('3661.5'), time_to_sec('-01:00:00.9'), time_to_sec('abc'), time_to_sec(10000), maketime(1,2,null), maketime(1,2,'3.5'), maketime(1,2,3.1234567), makedate(2024,'x'), makedate(9999,366), makedate(-1,1), makedate(100,1);
@loose
SELECT to_seconds('abc'), to_seconds('2024-00-01'), datediff(20240110,20240101), timediff('abc','10:00:00'), timediff(cast('10:00:00' as time), cast('11:00:00.5' as time(1))), subtime('2024-01-01 00:00:00','0:0:1'), addtime('10:00:00','2024-01-01'), addtime('2024-01-01 10:00:00','abc'), addtime('23:59:59.999999','0:0:0.000001'), addtime('838:59:59','1:0:0');
@loose
SELECT unix_timestamp('2024-01-02 03:04:05.5'), unix_timestamp(20240102), unix_timestamp('2024-00-01'), unix_timestamp(null), unix_timestamp() > 1, from_unixtime('abc'), from_unixtime('1704164645.5'), from_unixtime(null), from_unixtime(1.5,'%s.%f'), from_unixtime(1e9);
# A YEAR is the first day of it.
CREATE TABLE y (id INT PRIMARY KEY, y YEAR);
INSERT INTO y VALUES (1, 2155), (2, 2024), (3, 1901);
@loose
SELECT MONTH(y), DAY(y), DATE(y), DATE_ADD(y, INTERVAL 1 DAY), CAST(y AS DATE), CAST(y AS DATETIME), DAYOFYEAR(y), TO_DAYS(y), LAST_DAY(y), YEAR(y), QUARTER(y), DATE_SUB(y, INTERVAL 12 MICROSECOND), DATEDIFF(y, '2024-02-01'), DATE_FORMAT(y, '%Y-%m-%d') FROM y ORDER BY id;
CREATE TABLE yd (d DATETIME, e DATE);
INSERT INTO yd SELECT y, NULL FROM y WHERE id = 2;
INSERT INTO yd SELECT NULL, y FROM y WHERE id = 2;
SELECT * FROM yd;
