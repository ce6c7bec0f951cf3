/* Nothing of the scheduler is called or heard by others: it asks them. */
export {};
