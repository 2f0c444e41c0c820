# String functions.
# Values, warnings and errors; the metadata of functions is compared in expressions.sql.
@loose
SELECT concat('a',1,2.50,null), concat('a',1.5e0,date'2024-01-02'), concat_ws(',','a',null,'b',1), concat_ws(null,'a'), concat(x'41','b'), charset(concat(x'41','b')), charset(concat(1,2)), collation(concat('a',1)), charset(1), coercibility('a'), coercibility(1), coercibility(user()), coercibility(null);
@loose
SELECT length('héllo'), char_length('héllo'), bit_length('é'), length(1.50), length(null), octet_length('abc');
@loose
SELECT left('héllo',2), left('abc',-1), left('abc',2.5), right('héllo',3), right('abc',0), substring('héllo',2,3), substring('hello',-3), substring('hello',0), substring('hello',2,-1), substring('hello',-10,3), substring('hello',10), substr('hello',2.5);
@loose
SELECT substring_index('www.mysql.com','.',2), substring_index('www.mysql.com','.',-2), substring_index('abc','',1), substring_index('abc','x',1), substring_index('a.b','.',0), substring_index('aXbxc','x',1);
@loose
SELECT trim('  a  '), trim(leading 'x' from 'xxaxx'), trim(trailing 'xy' from 'axyxy'), trim(both 'é' from 'éaé'), ltrim('  a'), rtrim('a  '), trim('' from 'a'), trim(both 'ab' from 'ababcab');
@loose
SELECT replace('www','w','Ww'), replace('abc','','x'), replace('aBc','b','x'), replace(null,'a','b');
@loose
SELECT locate('b','abc'), locate('B','abc'), locate('é','hello'), locate('e','héllo'), locate('l','hello',4), locate('x','abc'), locate('','abc'), locate('','abc',5), locate('','abc',4), instr('foobar','bar'), locate(binary 'B','abc'), locate('a','abc',0), locate('a','abc',-1);
@loose
SELECT upper('héllo ß'), lower('ÀB'), ucase('a'), lcase('A'), upper(x'61'), upper(1);
@loose
SELECT ascii('é'), ascii(''), ord('é'), ord('a'), char(77,121,83,'76'), char(256), char(null,65), hex(char(0xe9)), hex(255), hex(-1), hex('abc'), hex(1.5), hex(12345678901234567890), unhex('4D7953'), unhex('4'), unhex('GG'), hex(null), hex(1e0), hex(date'2024-01-02');
@loose
SELECT insert('Quadratic',3,4,'What'), insert('Quadratic',-1,4,'What'), insert('Quadratic',3,100,'What'), insert('abc',4,1,'x'), insert('abc',5,1,'x'), insert('abc',1,-1,'x');
@loose
SELECT strcmp('a','b'), strcmp('a','A'), strcmp(2,10), elt(2,'a','b'), elt(3,'a','b'), elt(0,'a'), elt(null,'a'), field('b','a','B'), field(2,1,2), field(null,1), field('2',1,2), find_in_set('b','a,b,c'), find_in_set('B','a,b'), find_in_set('a,b','a,b'), find_in_set('','a,,b'), find_in_set('','');
@loose
SELECT quote("Don't\n"), quote(null), quote('a\\b'), reverse('héllo'), reverse(123);
@loose
SELECT format(12345.6789,2), format(12345.6789,0), format(-0.4,0), format(1234567890123.456e0,3), format('abc',1), format(12345.5,40), format(0.5,0), format(1e20,2), format(12345678901234567890,2), format(1.5,-1);
@loose
SELECT bin(12), oct(12), conv('a',16,2), conv(-17,10,-18), conv('zz',36,10), conv(-1,10,16), conv('18446744073709551616',10,10), conv('',10,2), conv('7',10,1), bin(-1), bin('x'), conv('6E',18,8), oct(-1), bin(1.9);
@loose
SELECT sha2('a',256), sha2('a',224), sha2('a',0), sha2('a',384), sha2('a',512), sha2('a',1), crc32('MySQL'), crc32(null);
@loose
SELECT to_base64('abc'), to_base64(repeat('a',60)), from_base64('YWJj'), from_base64('!'), from_base64('YWJ'), from_base64(' YW Jj\n');
@loose
SELECT soundex('Hello'), soundex('Quadratically'), soundex(''), make_set(5,'a','b','c'), export_set(5,'Y','N',',',4), bit_count(29), bit_count(-1), inet_aton('10.0.5.9'), inet_ntoa(167773449), inet_aton('127.1'), inet_aton('x'), is_ipv4('1.2.3.4');
