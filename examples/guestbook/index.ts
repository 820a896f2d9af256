export { busyboxRoot, IMAGE_CHANGES } from './busybox-image.js';
export {
  guestbookDocuments,
  imageOf,
  type GuestbookDocuments,
  type GuestbookPlace,
} from './documents.js';
export { Guestbook } from './guestbook.js';
export { GUESTBOOK_VERSIONS, startScript, type GuestbookVersion } from './start-script.js';
