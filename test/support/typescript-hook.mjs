import { registerHooks } from 'node:module';

// the sources name one another by the names that they have once built
registerHooks({
  resolve(specifier, context, next) {
    const source = context.parentURL?.endsWith('.ts') && /^\.{1,2}\//.test(specifier);
    return next(source ? specifier.replace(/\.js$/, '.ts') : specifier, context);
  },
});
