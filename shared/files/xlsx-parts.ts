/* The parts of a workbook that are not rows, as ECMA-376 describes them. */

const XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>';
const MAIN = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main';
const RELATIONS = 'http://schemas.openxmlformats.org/package/2006/relationships';
const DOCUMENT = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
const TYPE = 'application/vnd.openxmlformats-officedocument.spreadsheetml';

export interface Styles {
  heading: number;
  time: number;
  /** A text that stays one, whatever it begins with. */
  literal: number;
  /** Of amounts of a currency. */
  money(currency: string, digits: number): number;
  xml(): string;
}

/** Number formats up to this id are the format's own. */
const FIRST_FORMAT = 164;
const TIME_FORMAT = FIRST_FORMAT;

/** Collects the formats that cells use: one for each currency. */
export function createStyles(): Styles {
  const currencies = new Map<string, number>();
  const FIXED = 4;
  return {
    heading: 1,
    time: 2,
    literal: 3,
    money(currency, digits) {
      const format = `#,##0${digits > 0 ? `.${'0'.repeat(digits)}` : ''} "${currency}"`;
      const known = currencies.get(format) ?? FIXED + currencies.size;
      currencies.set(format, known);
      return known;
    },
    xml() {
      const formats = ['yyyy-mm-dd hh:mm:ss', ...currencies.keys()];
      const numFmts = formats.map((code, index) => `<numFmt numFmtId="${FIRST_FORMAT + index}" formatCode="${textXml(code)}"/>`);
      const moneyXfs = [...currencies.keys()].map(
        (_format, index) => `<xf numFmtId="${TIME_FORMAT + 1 + index}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>`,
      );
      const xfs = [
        '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>',
        '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>',
        `<xf numFmtId="${TIME_FORMAT}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"/>`,
        '<xf numFmtId="49" fontId="0" fillId="0" borderId="0" xfId="0" quotePrefix="1" applyNumberFormat="1"/>',
        ...moneyXfs,
      ];
      return (
        `${XML}<styleSheet xmlns="${MAIN}"><numFmts count="${numFmts.length}">${numFmts.join('')}</numFmts>` +
        '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts>' +
        '<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>' +
        '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>' +
        '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>' +
        `<cellXfs count="${xfs.length}">${xfs.join('')}</cellXfs></styleSheet>`
      );
    },
  };
}

/** All parts but the sheets. */
export function packageFiles(sheetNames: readonly string[], styles: Styles): [name: string, text: string][] {
  const ids = sheetNames.map((_name, index) => index + 1);
  const sheets = sheetNames.map((name, index) => `<sheet name="${textXml(name)}" sheetId="${index + 1}" r:id="rId${index + 1}"/>`);
  const relation = (id: number, kind: string, target: string): string =>
    `<Relationship Id="rId${id}" Type="${DOCUMENT}/${kind}" Target="${target}"/>`;
  const overrides = ids.map((id) => `<Override PartName="/xl/worksheets/sheet${id}.xml" ContentType="${TYPE}.worksheet+xml"/>`);
  return [
    ['xl/styles.xml', styles.xml()],
    ['xl/workbook.xml', `${XML}<workbook xmlns="${MAIN}" xmlns:r="${DOCUMENT}"><sheets>${sheets.join('')}</sheets></workbook>`],
    [
      'xl/_rels/workbook.xml.rels',
      `${XML}<Relationships xmlns="${RELATIONS}">${ids.map((id) => relation(id, 'worksheet', `worksheets/sheet${id}.xml`)).join('')}` +
        `${relation(ids.length + 1, 'styles', 'styles.xml')}</Relationships>`,
    ],
    ['_rels/.rels', `${XML}<Relationships xmlns="${RELATIONS}">${relation(1, 'officeDocument', 'xl/workbook.xml')}</Relationships>`],
    [
      '[Content_Types].xml',
      `${XML}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>' +
        `<Override PartName="/xl/workbook.xml" ContentType="${TYPE}.sheet.main+xml"/>` +
        `<Override PartName="/xl/styles.xml" ContentType="${TYPE}.styles+xml"/>${overrides.join('')}</Types>`,
    ],
  ];
}

/** A, B, ... Z, AA: the letters of a column counted from 0. */
export function columnLetters(index: number): string {
  const rest = Math.floor(index / 26) - 1;
  return (rest >= 0 ? columnLetters(rest) : '') + String.fromCharCode(65 + (index % 26));
}

/** So many characters fit into a cell; a longer text ends in this. */
const MAX_TEXT = 32_767;
const CUT = ' [cut]';

// What XML cannot hold at all.
// oxlint-disable-next-line no-control-regex -- these are the characters meant
const UNPRINTABLE = /[\u0000-\u0008\u000B\u000C\u000E-\u001F\uFFFE\uFFFF]/g;
/** A reader would take it for the character of this number. */
const ESCAPE = /_(?=x[\dA-Fa-f]{4}_)/g;
const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\r': '_x000D_' };

/** Text as XML of a cell holds it. */
export function textXml(text: string): string {
  const fitting = text.length > MAX_TEXT ? text.slice(0, MAX_TEXT - CUT.length) + CUT : text;
  return fitting
    .toWellFormed()
    .replaceAll(UNPRINTABLE, '')
    .replaceAll(ESCAPE, '_x005F_')
    .replaceAll(/[&<>"\r]/g, (character) => ENTITIES[character]!);
}
