import { Schema, type Connection, type InferRawDocTypeFromSchema } from 'mongoose';
import { newId } from '#shared/base/ids.ts';
import { retain } from '#shared/store/retention.ts';

const categorySchema = new Schema(
  {
    _id: { type: String, default: () => newId('cat') },
    name: { type: String, required: true },
    slug: { type: String, required: true },
    description: { type: String, default: null },
    image: { type: String, default: null },
    order: { type: Number, required: true },
    parentId: { type: String, default: null },
    /** From the top down; kept so that a whole subtree is one query. */
    ancestorIds: { type: [String], required: true },
    version: { type: Number, required: true, default: 1 },
  },
  { timestamps: true, versionKey: false },
);

categorySchema.index({ parentId: 1, slug: 1 }, { unique: true }); // Query.categoryByPath
categorySchema.index({ parentId: 1, order: 1, _id: 1 }); // Category.children, Query.categoryTree
categorySchema.index({ ancestorIds: 1 }); // findSubtree, moveCategory
retain(categorySchema, { few: 'admins make them, by hand' });

/** One row that every change of the tree's shape writes, so that two moves cannot pass each other and close a circle. */
const treeSchema = new Schema({ _id: { type: String }, revision: { type: Number, required: true, default: 0 } }, { versionKey: false });
retain(treeSchema, { few: 'one row' });

export type Category = InferRawDocTypeFromSchema<typeof categorySchema>;

export const models = (db: Connection) => ({ Category: db.model('Category', categorySchema), Tree: db.model('Tree', treeSchema) });

export type Models = ReturnType<typeof models>;
