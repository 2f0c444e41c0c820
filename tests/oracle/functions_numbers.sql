# Numeric functions.
# Values, warnings and errors; the metadata of functions is compared in expressions.sql.
@loose
SELECT abs(-5), abs(-5.50), abs('-3.5x'), abs(-9223372036854775807), ceil(1.2), ceil(-1.2), ceil('1.2'), floor(-1.2), floor(1e20), ceil(5), floor(12345678901234567890.5), ceil(1.0), floor(null);
@loose
SELECT abs(-9223372036854775808);
@loose
SELECT round(1.298,1), round(1.298,0), round(23.298,-1), round(1.5), round(2.5e0), round(1.25e0,1), round(150,-2), round(-1.5), round('2.5'), round(1.298,5), round(12,2), round(1e20,2), round(5555,-3), round(5555,-5), round(0.5e0), round(1.005e0,2), round(99999999999999999999,-2), round(18446744073709551615,-1), round(1.15,null), round(null);
@loose
SELECT truncate(1.999,1), truncate(122,-2), truncate(-1.999e0,1), truncate(10.28*100,0), truncate(1.5,3), truncate(1.5e0,400);
@loose
SELECT mod(234,10), mod(29,9.5), mod(5,0), mod('7',3), mod(-7,3), mod(5.5e0,2);
@loose
SELECT pow(2,3), power(2,-2), pow(10,400), sqrt(16), sqrt(-1), exp(1), ln(2), ln(0), log(2,65536), log(10), log(1,10), log10(100), log2(8), log2(-1), log(-1,2);
@loose
SELECT exp(1000);
@loose
SELECT sign(-3), sign(0), sign('x'), sign(2.5), pi(), sin(1), cos(1), tan(1), cot(1), asin(0.5), asin(2), acos(0.5), atan(1), atan(1,2), atan2(-1,-2), degrees(pi()), radians(90), rand(1), rand(3), cot(0);
@loose
SELECT sha2('a',256), sha2('a',224), sha2('a',0), sha2('a',384), sha2('a',512), sha2('a',1), sha2(null,256);
@loose
SELECT crc32('MySQL'), crc32(null);
@loose
SELECT round(1.298,1), round(1.298,0), round(23.298,-1), round(1.5), round(2.5e0), round(1.25e0,1), round(150,-2), round(-1.5), round('2.5'), round(1.298,5), round(12,2), round(1e20,2), round(5555,-3), round(5555,-5), round(0.5e0), round(1.005e0,2), round(99999999999999999999,-2), round(1.15,null), round(null);
@loose
SELECT pow(2,3), power(2,-2), sqrt(16), sqrt(-1), exp(1), ln(2), ln(0), log(2,65536), log(10), log(1,10), log10(100), log2(8), log2(-1), log(-1,2);
@loose
SELECT sign(-3), sign(0), sign('x'), sign(2.5), pi(), sin(1), cos(1), tan(1), cot(1), asin(0.5), asin(2), acos(0.5), atan(1), atan(1,2), atan2(-1,-2), degrees(pi()), radians(90), rand(1), rand(3);
@loose
SELECT round(9223372036854775807,-1);
@loose
SELECT round(-2.5e0), round(1234567.891e0,-2), round(2.345e0,2), round(0.285e0,2), truncate(0.29e0*100,0), round(1e300,400), round(1e-300,2), round(15.5e0,-1), round(1.5,-400), round(15,-1), round(25,-1), round(-15,-1);
