# Digests, ciphers, addresses, identifiers, and functions about quantities.
# MySQL 9.7 has MD5, SHA1 and SHA where its component_classic_hashing is installed: as when this was recorded.
SELECT MD5('a'), SHA1('a'), SHA('abc'), SHA1('');
SELECT HEX(AES_ENCRYPT('text', 'key')), AES_DECRYPT(AES_ENCRYPT('text', 'key'), 'key'), AES_DECRYPT('x', 'key'), AES_ENCRYPT('t', NULL);
SELECT HEX(AES_ENCRYPT('sixteen bytes!!!', 'a key longer than sixteen bytes')), HEX(AES_ENCRYPT('', ''));
SELECT HEX(AES_ENCRYPT('text', 'key', 'iv'));
SET block_encryption_mode = 'aes-256-cbc';
SELECT HEX(AES_ENCRYPT('text', 'key', '0123456789abcdef')), AES_DECRYPT(AES_ENCRYPT('a text of more than one block', 'key', '0123456789abcdef'), 'key', '0123456789abcdef'), AES_DECRYPT(UNHEX('00'), 'k', '0123456789abcdef');
SELECT AES_ENCRYPT('text', 'key');
SELECT AES_ENCRYPT('text', 'key', 'short');
SET block_encryption_mode = 'aes-128-cfb1';
SELECT HEX(AES_ENCRYPT('text', 'key', '0123456789abcdef')), AES_DECRYPT(AES_ENCRYPT('a text of more than one block', 'key', '0123456789abcdef'), 'key', '0123456789abcdef') AS b;
SET block_encryption_mode = 'aes-192-cfb8';
SELECT HEX(AES_ENCRYPT('text', 'key', '0123456789abcdef')), AES_DECRYPT(AES_ENCRYPT('a text of more than one block', 'key', '0123456789abcdef'), 'key', '0123456789abcdef') AS b;
SET block_encryption_mode = 'aes-128-cfb128';
SELECT HEX(AES_ENCRYPT('a text of more than one block', 'key', '0123456789abcdef')), AES_DECRYPT(AES_ENCRYPT('a text of more than one block', 'key', '0123456789abcdef'), 'key', '0123456789abcdef') AS b;
SET block_encryption_mode = 'aes-128-ofb';
SELECT HEX(AES_ENCRYPT('a text of more than one block', 'key', '0123456789abcdef')), AES_DECRYPT(AES_ENCRYPT('a text of more than one block', 'key', '0123456789abcdef'), 'key', '0123456789abcdef') AS b;
SET block_encryption_mode = 'x';
SET block_encryption_mode = DEFAULT;
SELECT LENGTH(RANDOM_BYTES(8)), RANDOM_BYTES(NULL);
SELECT RANDOM_BYTES(0);
SELECT RANDOM_BYTES(1025);
SELECT HEX(INET6_ATON('::1')), HEX(INET6_ATON('1.2.3.4')), INET6_ATON('x'), INET6_NTOA('abc'), INET6_NTOA(NULL);
SELECT INET6_NTOA(INET6_ATON('1:0:2:3:4:5:6:7')), INET6_NTOA(INET6_ATON('1:0:0:3:0:0:6:7')), INET6_NTOA(INET6_ATON('::1.2.3.4')), INET6_NTOA(INET6_ATON('::')), INET6_NTOA(INET6_ATON('::ffff:1.2.3.4')), INET6_NTOA(INET6_ATON('1.2.3.4')), INET6_NTOA(INET6_ATON('::5')), INET6_NTOA(INET6_ATON('fe80::'));
SELECT IS_IPV6('::1'), IS_IPV6('1.2.3.4'), IS_IPV6(NULL);
@loose
SELECT IS_IPV4_COMPAT(INET6_ATON('::1.2.3.4')), IS_IPV4_COMPAT(INET6_ATON('::1')), IS_IPV4_MAPPED(INET6_ATON('::ffff:1.2.3.4')), IS_IPV4_MAPPED('x'), IS_IPV4_COMPAT(NULL);
SELECT HEX(UUID_TO_BIN('6ccd780c-baba-1026-9564-5b8c656024db')), HEX(UUID_TO_BIN('{6ccd780c-baba-1026-9564-5b8c656024db}', 1)), BIN_TO_UUID(UUID_TO_BIN('6ccd780cbaba102695645b8c656024db')), BIN_TO_UUID(UUID_TO_BIN('6ccd780c-baba-1026-9564-5b8c656024db', 1), 1), BIN_TO_UUID(NULL);
SELECT IS_UUID('x'), IS_UUID('6CCD780C-BABA-1026-9564-5B8C656024DB'), IS_UUID('{6ccd780cbaba102695645b8c656024db}'), IS_UUID(''), IS_UUID(NULL);
SELECT UUID_TO_BIN('x');
SELECT BIN_TO_UUID('x');
@loose
SELECT LENGTH(UUID()), UUID_SHORT() > 0, UUID() = UUID();
SELECT INTERVAL(3, 1, 2, 3, 4), INTERVAL(NULL, 1), INTERVAL(1.5, 1, 2), INTERVAL(1, 1, 1, 1, 2);
SELECT FORMAT_BYTES(0), FORMAT_BYTES(1023), FORMAT_BYTES(1536 * 1024 * 1024), FORMAT_BYTES(1023.6), FORMAT_BYTES(1e30), FORMAT_BYTES(-5000), FORMAT_BYTES(NULL);
SELECT FORMAT_PICO_TIME(0), FORMAT_PICO_TIME(3501), FORMAT_PICO_TIME(188732396662000), FORMAT_PICO_TIME(-1500), FORMAT_PICO_TIME(1e18), FORMAT_PICO_TIME(1e30), FORMAT_PICO_TIME(999.9);
SELECT GET_FORMAT(DATE, 'USA'), GET_FORMAT(DATETIME, 'JIS'), GET_FORMAT(TIME, 'ISO'), GET_FORMAT(TIMESTAMP, 'EUR'), GET_FORMAT(DATE, 'x'), DATE_FORMAT('2003-10-03', GET_FORMAT(DATE, 'EUR'));
@loose
SELECT FORMAT(1234567.891, 2, 'de_DE'), FORMAT(1234567.891, 2, 'en_IN'), FORMAT(1234.5, 1, 'fr_FR'), FORMAT(1234567.8, 2, 'de_CH'), FORMAT(1234567.8, 2, 'ru_RU'), FORMAT(1234567.8, 1, 'SV_se'), FORMAT(1, 1, NULL);
@loose
SELECT FORMAT(1234.5, 1, 'xx');
SELECT NAME_CONST('a', 1) AS a, NAME_CONST('b', -2) AS b;
SELECT NAME_CONST('a', 1 + 1);
SELECT VALIDATE_PASSWORD_STRENGTH('x'), VALIDATE_PASSWORD_STRENGTH(NULL);
@loose
SELECT HEX(WEIGHT_STRING('aB c')), HEX(WEIGHT_STRING('abc' AS CHAR(2))), HEX(WEIGHT_STRING('ab' AS BINARY(4))), HEX(WEIGHT_STRING(x'4142')), HEX(WEIGHT_STRING('ab  ' COLLATE utf8mb4_bin)), WEIGHT_STRING(NULL), HEX(WEIGHT_STRING(1));
SELECT MID('abc', 2, 1), POSITION('b' IN 'abc');
