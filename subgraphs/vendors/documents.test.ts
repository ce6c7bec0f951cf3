import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { viewer, type Data } from '#shared/testing/open.ts';
import { codeOf, newcomer, openVendors, stranger, type Vendors } from './fixtures.ts';

const UPLOAD = `mutation ($input: CreateApplicationDocumentUploadInput!) { createApplicationDocumentUpload(input: $input) {
  upload { id url method headers { name value } expiresAt } userErrors { code path ... on ApplicationStatusError { status } } } }`;
const DOCUMENT = 'id checklistKey fileName contentType size uploadedAt url';
const ADD = `mutation ($input: AddApplicationDocumentInput!) { addApplicationDocument(input: $input) {
  application { version } document { ${DOCUMENT} } userErrors { code path } } }`;
const REMOVE = `mutation ($input: RemoveApplicationDocumentInput!) { removeApplicationDocument(input: $input) {
  application { version documents { id } } userErrors { code path } } }`;
const LOOK = `query ($id: ID!) { vendorApplication(id: $id) { documents { ${DOCUMENT} }
  checklist { item { key } isSatisfied documents { id } } } }`;

const PDF = Buffer.from('%PDF-1.7 a certificate');
const DAY_MS = 24 * 60 * 60_000;

let market: Vendors;
beforeAll(async () => {
  market = await openVendors();
  await market.run(
    'mutation ($input: CreateVendorChecklistItemInput!) { createVendorChecklistItem(input: $input) { userErrors { code } } }',
    { key: 'licence', label: 'Licence' },
  );
});
afterAll(() => market.close());

const begin = (applicationId: string, as = stranger, rest: object = {}) =>
  market.run(UPLOAD, { applicationId, fileName: 'licence.pdf', contentType: 'application/pdf', size: PDF.length, ...rest }, as);

/** As a browser would. */
const send = ({ url, method, headers }: Data, body: Buffer) =>
  fetch(url, { method, headers: headers.map(({ name, value }: Data) => [name, value]), body: new Uint8Array(body) });

async function sent(name: string) {
  const applicant = newcomer();
  const { id } = await market.draft(applicant, name);
  const { upload, userErrors } = await begin(id, applicant);
  expect(userErrors).toEqual([]);
  expect((await send(upload, PDF)).status).toBe(201);
  return { applicant, id, upload, input: { applicationId: id, uploadId: upload.id, checklistKey: 'licence' } };
}

const filesOf = async (id: string): Promise<string[]> => {
  const folder = join(market.folder, 'private', 'vendor-applications', id);
  return readdir(folder).catch(() => []);
};

describe('a document', () => {
  test('is sent, handed in and counts for the checklist; applicant and admin can fetch it', async () => {
    const { applicant, id, upload, input } = await sent('Paper Shop');

    const { document, application, userErrors } = await market.run(ADD, input, applicant);

    expect(userErrors).toEqual([]);
    expect(application.version).toBe(2);
    expect(document).toMatchObject({
      id: upload.id,
      checklistKey: 'licence',
      fileName: 'licence.pdf',
      contentType: 'application/pdf',
      size: PDF.length,
    });
    for (const as of [applicant, viewer('usr_admin', ['admin'])]) {
      const { data } = await market.app.ask(LOOK, { id }, { as });
      expect(data.vendorApplication.checklist).toEqual([{ item: { key: 'licence' }, isSatisfied: true, documents: [{ id: upload.id }] }]);
      const answer = await fetch(data.vendorApplication.documents[0].url);
      expect([answer.status, Buffer.from(await answer.arrayBuffer())]).toEqual([200, PDF]);
    }
    expect((await market.move('submit', { id }, applicant)).application.status).toBe('SUBMITTED');
  });

  test('that is handed in twice counts once, and changes nothing the second time', async () => {
    const { applicant, id, input } = await sent('Twice');

    const first = await market.run(ADD, input, applicant);
    const second = await market.run(ADD, input, applicant);

    expect(second.document.id).toBe(first.document.id);
    expect(second.application.version).toBe(first.application.version);
    expect((await market.app.ask(LOOK, { id }, { as: applicant })).data.vendorApplication.documents).toHaveLength(1);
  });

  test('can be taken out again; its file is deleted, and those that nobody handed in as well', async () => {
    const { applicant, id, input } = await sent('Cleaner');
    await market.run(ADD, input, applicant);
    const kept = await begin(id, applicant);
    await send(kept.upload, PDF);
    await market.run(ADD, { ...input, uploadId: kept.upload.id }, applicant);
    const unused = await begin(id, applicant);
    await send(unused.upload, PDF);

    const removed = await market.run(REMOVE, { applicationId: id, documentId: input.uploadId }, applicant);
    await market.app.runJob('remove-dropped-documents');
    expect(await filesOf(id)).toHaveLength(3);
    market.app.clock.advance(DAY_MS + 60_000);
    await market.app.runJob('remove-dropped-documents');
    market.app.clock.advance(-DAY_MS - 60_000);

    expect(removed.application.documents).toEqual([{ id: kept.upload.id }]);
    expect(await filesOf(id)).toHaveLength(1);
    expect((await market.run(ADD, { ...input, uploadId: unused.upload.id }, applicant)).userErrors).toEqual([
      { code: 'NOT_FOUND', path: ['input', 'uploadId'] },
    ]);
  });

  test('never reaches another application, whoever asks', async () => {
    const mine = await sent('Mine');
    const theirs = await sent('Theirs');

    const stolen = await market.run(ADD, { ...mine.input, uploadId: theirs.upload.id }, mine.applicant);
    const foreign = await market.run(ADD, theirs.input, mine.applicant);
    const begun = await begin(theirs.id, mine.applicant);
    const taken = await market.run(REMOVE, { applicationId: theirs.id, documentId: theirs.upload.id }, mine.applicant);

    await market.run(ADD, theirs.input, theirs.applicant);
    const afterwards = await market.run(ADD, { ...mine.input, uploadId: theirs.upload.id }, mine.applicant);

    for (const answer of [stolen, afterwards])
      expect(answer).toMatchObject({ document: null, userErrors: [{ code: 'NOT_FOUND', path: ['input', 'uploadId'] }] });
    for (const { userErrors } of [foreign, begun, taken])
      expect(userErrors).toEqual([{ code: 'NOT_FOUND', path: ['input', 'applicationId'] }]);
  });
});

describe('createApplicationDocumentUpload', () => {
  test.each([
    ['a type that can carry script', { contentType: 'image/svg+xml' }, 'contentType'],
    ['an empty file', { size: 0 }, 'size'],
    ['a negative size', { size: -1 }, 'size'],
    ['ten million bytes and one', { size: 10_000_001 }, 'size'],
    ['no file name', { fileName: '' }, 'fileName'],
    ['a file name of 10,000 characters', { fileName: 'x'.repeat(10_000) }, 'fileName'],
    ['a NUL in the file name', { fileName: 'a\u0000.pdf' }, 'fileName'],
  ])('refuses %s', async (_case, rest, field) => {
    expect((await begin('vap_nowhere', stranger, rest)).userErrors).toEqual([{ code: 'INVALID', path: ['input', field] }]);
  });

  test('refuses a fraction of a byte', async () => {
    const input = { applicationId: 'vap_x', fileName: 'a', contentType: 'application/pdf', size: 1.5 };

    expect(codeOf(await market.app.ask(UPLOAD, { input }, { as: stranger }))).toBe('BAD_USER_INPUT');
  });

  test('refuses an application that was submitted, and more files than anyone needs', async () => {
    const { applicant, id, input } = await sent('Submitted');
    await market.run(ADD, input, applicant);
    const { models } = market.app.context() as Data;
    const row = { applicationId: id, fileName: 'x', contentType: 'application/pdf', size: 1, fileKey: 'x' };
    await models.ApplicationDocument.create(Array.from({ length: 99 }, () => row));
    expect((await begin(id, applicant)).userErrors).toEqual([{ code: 'DOCUMENT_LIMIT', path: ['input', 'applicationId'] }]);
    await market.move('submit', { id }, applicant);

    expect((await begin(id, applicant)).userErrors).toEqual([
      { code: 'APPLICATION_STATUS', path: ['input', 'applicationId'], status: 'SUBMITTED' },
    ]);
    expect((await market.run(REMOVE, { applicationId: id, documentId: input.uploadId }, applicant)).userErrors).toEqual([
      { code: 'APPLICATION_STATUS', path: ['input', 'applicationId'] },
    ]);
  });
});

describe('addApplicationDocument', () => {
  test('refuses what has not arrived, what it does not know, and items nobody asks for', async () => {
    const applicant = newcomer();
    const { id } = await market.draft(applicant, 'Waiting');
    const { upload } = await begin(id, applicant);
    const input = { applicationId: id, uploadId: upload.id, checklistKey: 'licence' };

    expect((await market.run(ADD, input, applicant)).userErrors).toEqual([{ code: 'UPLOAD_MISSING', path: ['input', 'uploadId'] }]);
    expect((await market.run(ADD, { ...input, uploadId: 'doc_nowhere' }, applicant)).userErrors).toEqual([
      { code: 'NOT_FOUND', path: ['input', 'uploadId'] },
    ]);
    expect((await market.run(ADD, { ...input, checklistKey: 'x'.repeat(10_000) }, applicant)).userErrors).toEqual([
      { code: 'NOT_FOUND', path: ['input', 'checklistKey'] },
    ]);
  });

  test('refuses the 31st document', async () => {
    const { applicant, id, input } = await sent('Thirty');
    const { models } = market.app.context() as Data;
    const row = {
      applicationId: id,
      fileName: 'x',
      contentType: 'application/pdf',
      size: 1,
      fileKey: 'x',
      state: 'ATTACHED',
      checklistKey: 'licence',
    };
    await models.ApplicationDocument.create(Array.from({ length: 30 }, () => row));

    expect((await market.run(ADD, input, applicant)).userErrors).toEqual([{ code: 'DOCUMENT_LIMIT', path: ['input', 'applicationId'] }]);
  });

  test('refuses a file that is not what it was announced to be', async () => {
    const applicant = newcomer();
    const { id } = await market.draft(applicant, 'Liar');
    const { upload } = await begin(id, applicant, { size: 4 });

    const answer = await send(upload, Buffer.from('<svg'));

    expect(answer.status).toBe(415);
    expect((await market.run(ADD, { applicationId: id, uploadId: upload.id, checklistKey: 'licence' }, applicant)).userErrors[0].code).toBe(
      'UPLOAD_MISSING',
    );
  });

  test('refuses a file that was swapped behind its back', async () => {
    const { applicant, id, input } = await sent('Swapped');
    const [file] = await filesOf(id);
    await writeFile(join(market.folder, 'private', 'vendor-applications', id, file!), 'MZ not a pdf');

    expect((await market.run(ADD, input, applicant)).userErrors).toEqual([{ code: 'UPLOAD_REFUSED', path: ['input', 'uploadId'] }]);
    expect(await filesOf(id)).toEqual([]);
  });
});

test('removeApplicationDocument does not know a document of another application', async () => {
  const mine = await sent('Remove mine');
  const theirs = await sent('Remove theirs');
  await market.run(ADD, theirs.input, theirs.applicant);

  const { userErrors } = await market.run(REMOVE, { applicationId: mine.id, documentId: theirs.upload.id }, mine.applicant);

  expect(userErrors).toEqual([{ code: 'NOT_FOUND', path: ['input', 'documentId'] }]);
});
