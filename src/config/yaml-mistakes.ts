import type { ErrorCode } from 'yaml'

/**
 * What each of the parser's error codes means. The parser's own messages quote the text around the place,
 * which may be a secret that somebody has just pasted; these never do.
 */
export const YAML_MISTAKES: Readonly<Record<ErrorCode, string>> = {
  ALIAS_PROPS: 'an alias takes neither a tag nor an anchor',
  BAD_ALIAS: 'this is not the name of an anchor',
  BAD_COLLECTION_TYPE: 'this tag does not fit its value; remove the tag',
  BAD_DIRECTIVE: 'this % line is no directive of YAML 1.2; remove it',
  BAD_DQ_ESCAPE: 'this \\ escape does not exist; write \\\\ or use single quotes',
  BAD_INDENT: 'the indentation does not fit the lines above',
  BAD_PROP_ORDER: 'an anchor or a tag stands after the indicator, before the value',
  BAD_SCALAR_START: 'a value cannot start with this character; put the value in quotes',
  BLOCK_AS_IMPLICIT_KEY: 'two ": " on one line; put the value in quotes or on a line of its own',
  BLOCK_IN_FLOW: 'inside { } and [ ] everything is written with { } and [ ]',
  DUPLICATE_KEY: 'this key stands twice in the same map; remove one',
  IMPOSSIBLE: 'this is not YAML',
  KEY_OVER_1024_CHARS: 'this key is longer than 1024 characters',
  MISSING_CHAR: 'a character is missing here: a closing quote, a comma, a colon or a space',
  MULTILINE_IMPLICIT_KEY: 'a key and its colon stand on one line',
  MULTIPLE_ANCHORS: 'a value has at most one anchor',
  MULTIPLE_DOCS: 'a second document starts here; the configuration is one document',
  MULTIPLE_TAGS: 'a value has at most one tag',
  NON_STRING_KEY: 'a key is a plain word',
  RESOURCE_EXHAUSTION: 'this is nested too deeply',
  TAB_AS_INDENT: 'tabs do not indent; use spaces',
  TAG_RESOLVE_FAILED:
    'tags have no meaning here; a secret is written {env: NAME}, {file: PATH} or {command: [...]}',
  UNEXPECTED_TOKEN: 'this was not expected here; is something before it unfinished, or a quote missing?',
}
