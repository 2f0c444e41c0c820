# SET PERSIST, SET PERSIST_ONLY, RESET PERSIST; every value is set back at the end.
RESET PERSIST;
SET PERSIST net_retry_count = 11;
@loose
SELECT VARIABLE_NAME, VARIABLE_VALUE FROM performance_schema.persisted_variables ORDER BY VARIABLE_NAME;
SELECT @@GLOBAL.net_retry_count, @@net_retry_count;
SET PERSIST_ONLY net_retry_count = 12;
@loose
SELECT VARIABLE_NAME, VARIABLE_VALUE FROM performance_schema.persisted_variables ORDER BY VARIABLE_NAME;
SELECT @@GLOBAL.net_retry_count;
SET @@PERSIST.net_retry_count = 13, @@persist_only.bulk_insert_buffer_size = 8388608;
@loose
SELECT VARIABLE_NAME, VARIABLE_VALUE FROM performance_schema.persisted_variables ORDER BY VARIABLE_NAME;
SELECT @@persist.net_retry_count;
SET PERSIST net_retry_count = 'x';
SET PERSIST port = 5;
SET PERSIST_ONLY port = 5;
SET PERSIST_ONLY datadir = 'x';
SET PERSIST nosuch = 1;
SET PERSIST timestamp = 1;
SET PERSIST_ONLY innodb_buffer_pool_size = 134217728;
@loose
SELECT VARIABLE_VALUE FROM performance_schema.persisted_variables WHERE VARIABLE_NAME = 'innodb_buffer_pool_size';
SET PERSIST net_retry_count = DEFAULT;
@loose
SELECT VARIABLE_NAME, VARIABLE_VALUE FROM performance_schema.persisted_variables ORDER BY VARIABLE_NAME;
RESET PERSIST nosuch;
RESET PERSIST IF EXISTS nosuch;
SHOW WARNINGS;
RESET PERSIST IF EXISTS wait_timeout;
RESET PERSIST wait_timeout;
RESET PERSIST bulk_insert_buffer_size;
SELECT COUNT(*) FROM performance_schema.persisted_variables;
RESET PERSIST;
SELECT COUNT(*) FROM performance_schema.persisted_variables;
CREATE USER oracle_p;
SHOW ENGINE nosuch STATUS;
DROP USER oracle_p;
