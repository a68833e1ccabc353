/** Files that lie in one folder; those that lie in none have no name. */
export interface Folder {
  name: string;
  files: File[];
}

/** What was dropped, folders with all that is in them. */
export async function foldersDropped(transfer: DataTransfer): Promise<Folder[]> {
  // Entries are asked for at once: when the event is over they are gone.
  const entries = [...transfer.items].flatMap((item) => item.webkitGetAsEntry() ?? []);
  const found = await Promise.all(entries.map((entry) => filesUnder(entry, "")));
  return inFolders(found.flat());
}

/** What a chooser of folders or of files gives. */
export function foldersChosen(files: Iterable<File>): Folder[] {
  return inFolders([...files].map((file) => ({ file, folder: file.webkitRelativePath.split("/").at(-2) ?? "" })));
}

interface Found {
  file: File;
  /** The folder that it lies in itself. */
  folder: string;
}

async function filesUnder(entry: FileSystemEntry, folder: string): Promise<Found[]> {
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    return [{ file, folder }];
  }
  if (!isFolder(entry)) return [];
  const reader = entry.createReader();
  const found: Found[] = [];
  for (;;) {
    // It gives a hundred at most at a time, and none when there are no more.
    const entries = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (entries.length === 0) return found;
    found.push(...(await Promise.all(entries.map((each) => filesUnder(each, entry.name)))).flat());
  }
}

/** In the order of their names; what begins with a dot is the system's own. */
function inFolders(found: readonly Found[]): Folder[] {
  const folders = new Map<string, File[]>();
  const sorted = found
    .filter(({ file }) => !file.name.startsWith(".") && file.name !== "Thumbs.db")
    .sort((a, b) => compare(a.folder, b.folder) || compare(a.file.name, b.file.name));
  for (const { file, folder } of sorted) folders.set(folder, [...(folders.get(folder) ?? []), file]);
  return [...folders].map(([name, files]) => ({ name, files }));
}

const compare = new Intl.Collator("en", { numeric: true }).compare;

// Not every browser has these as classes to ask by.
function isFile(entry: FileSystemEntry): entry is FileSystemFileEntry {
  return entry.isFile;
}
function isFolder(entry: FileSystemEntry): entry is FileSystemDirectoryEntry {
  return entry.isDirectory;
}
