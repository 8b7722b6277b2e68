import { readFileSync } from 'node:fs';
import { type ImageEntry, parseImageOverride } from '#kubelet';
import { errorMessage, InvalidInputError } from '#runtime';
import type { LabOptions } from './options.ts';

type ImageOptions = Pick<LabOptions, 'images' | 'imagesFile'>;

/** What the user said runs for an image, by flags and in a file. @throws InvalidInputError */
export function imagesOf(options: ImageOptions): readonly ImageEntry[] {
  return imageLines(options).map(parseImageOverride);
}

/** `IMAGE=COMMAND` lines; empty lines and lines that begin with # say nothing. */
function imageLines({ images, imagesFile }: ImageOptions): readonly string[] {
  if (imagesFile === undefined) return images;
  let text: string;
  try {
    text = readFileSync(imagesFile, 'utf8');
  } catch (error) {
    throw new InvalidInputError('--images', imagesFile, `cannot be read: ${errorMessage(error)}`);
  }
  const lines = text.split('\n').map((line) => line.trim());
  return [...images, ...lines.filter((line) => line !== '' && !line.startsWith('#'))];
}
