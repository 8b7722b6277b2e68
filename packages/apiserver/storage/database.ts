import { DatabaseSync, type StatementSync } from 'node:sqlite';

export interface Row {
  readonly resource: string;
  readonly key: string;
  readonly version: number;
  readonly json: string;
}

/**
 * The objects on disk, in SQLite. WAL with synchronous=NORMAL: a commit survives the death of the process (kill -9
 * included) and, on a power cut, the file stays whole but may lose the last commits; a lab does not outlive the machine.
 */
export class Database implements Disposable {
  readonly #db: DatabaseSync;
  readonly #put: StatementSync;
  readonly #remove: StatementSync;
  readonly #setVersion: StatementSync;

  constructor(path: string) {
    this.#db = new DatabaseSync(path);
    this.#db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 2000');
    this.#db.exec(`
      CREATE TABLE IF NOT EXISTS objects (
        resource TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, json TEXT NOT NULL,
        PRIMARY KEY (resource, key)
      ) WITHOUT ROWID;
      CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;`);
    this.#put = this.#db.prepare(
      'INSERT INTO objects (resource, key, version, json) VALUES (?, ?, ?, ?) ON CONFLICT (resource, key) DO UPDATE SET version = excluded.version, json = excluded.json',
    );
    this.#remove = this.#db.prepare('DELETE FROM objects WHERE resource = ? AND key = ?');
    this.#setVersion = this.#db.prepare(
      "INSERT INTO settings (name, value) VALUES ('version', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
    );
  }

  load(): { readonly version: number; readonly rows: readonly Row[] } {
    const row = this.#db.prepare("SELECT value FROM settings WHERE name = 'version'").get();
    const rows = this.#db
      .prepare('SELECT resource, key, version, json FROM objects ORDER BY resource, key')
      .all();
    return { version: Number(row?.['value'] ?? 0), rows: rows as unknown as readonly Row[] };
  }

  put(row: Row): void {
    this.#commit(() => {
      this.#put.run(row.resource, row.key, row.version, row.json);
      this.#setVersion.run(String(row.version));
    });
  }

  remove(resource: string, key: string, version: number): void {
    this.#commit(() => {
      this.#remove.run(resource, key);
      this.#setVersion.run(String(version));
    });
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  #commit(write: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      write();
      this.#db.exec('COMMIT');
    } catch (error) {
      // On a full disk SQLite has rolled back by itself, and its own words matter.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
  }
}
