import { expect, test } from '@jest/globals';
import { isPublicAddress, pictureAddress } from './public-address.ts';

test.each([
  'http://169.254.169.254/latest/meta-data',
  'http://127.0.0.1/x.png',
  'http://127.1/',
  'http://2130706433/',
  'http://0x7f.0.0.1/',
  'http://0177.0.0.1/',
  'http://①②⑦.0.0.1/',
  'http://0/',
  'http://10.1.2.3/',
  'http://172.31.0.1/',
  'http://192.168.0.1:8080/',
  'http://100.64.0.1/',
  'http://255.255.255.255/',
  'http://[::1]/',
  'http://[::]/',
  'http://[::ffff:127.0.0.1]/',
  'http://[::ffff:a9fe:a9fe]/',
  'http://[64:ff9b::7f00:1]/',
  'http://[2002:7f00:1::]/',
  'http://[fd00::1]/',
  'http://[fe80::1]/',
  'http://localhost/',
  'http://LOCALHOST./',
  'http://a.localhost/',
  'http://printer.local/',
  'http://metadata.google.internal/',
  'http://intranet/',
  'https://user:pass@example.com/x.png',
  'https://user@example.com/x.png',
  'ftp://example.com/x.png',
  'javascript:alert(1)',
  'data:image/png;base64,AAAA',
  'file:///etc/passwd',
  '//example.com/x.png',
  'not an address',
])('%s is no public address', (address) => {
  expect(isPublicAddress(address)).toBe(false);
  expect(pictureAddress().safeParse(address).success).toBe(false);
});

test.each([
  'https://example.com/x.png?size=2#top',
  'http://cdn.example.com:8080/x.png',
  'https://93.184.216.34/x.png',
  'https://[2606:4700::1111]/x.png',
  'https://例え.jp/画像.png',
  'https://localhost.example.com/x.png',
])('%s is one', (address) => {
  expect(isPublicAddress(address)).toBe(true);
  expect(pictureAddress().parse(address)).toBe(new URL(address).href);
});
