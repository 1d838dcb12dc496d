-- On top of open_mercato.sql: one value is encrypted, in the form iv:ciphertext:tag:v1.
UPDATE customer_activities SET subject = 'MDEyMzQ1Njc4OWFi:ZW5jcnlwdGVkIHRleHQ=:MDEyMzQ1Njc4OWFiY2RlZg==:v1'
WHERE id = 'aaaaaaaa-0000-4000-8000-000000000003';
