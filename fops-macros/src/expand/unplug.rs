//! The unplug routine of the device: the impl of `Unplug`, and what calls the hooks.

use proc_macro2::{Ident, Span};

use super::{
    Claim, Runtime, carried_over, lifetime,
    template::{put, tokens},
};
use crate::{
    args::{Hook, UnplugHooks},
    model::Block,
    source::Source,
};

/// What `unplug(..)` asks for, where the type of the resources is known.
pub(super) fn expand(block: &Block, hooks: &UnplugHooks, output: &mut Source) {
    let (Some(asked), Some(resources)) = (&block.options.unplug, block.resources()) else { return };
    // What rustc has against these impls, it says of the option that asks for them.
    let here = Span::mixed_site().located_at(asked.span);
    let routine = Routine {
        block,
        hooks,
        resources: Source::of(&resources),
        claim: Claim::of(block),
        here,
        this: Ident::new("self", here),
    };
    routine.unplug(output);
    routine.unplug_with_subdevs(output);
}

struct Routine<'a> {
    block: &'a Block,
    hooks: &'a UnplugHooks,
    resources: Source,
    claim: Claim,
    here: Span,
    this: Ident,
}

impl<'a> Routine<'a> {
    fn runtime(&self) -> Runtime<'a> {
        Runtime::of(&self.block.options).at(self.here)
    }

    /// `impl Unplug`: where the lifetime is, and the driver's hooks.
    fn unplug(&self, output: &mut Source) {
        let Self { block, hooks, resources, claim: Claim { generics, self_ty, bounds }, here, this } = self;
        let (here, runtime) = (*here, self.runtime());
        // One in this block is an error already.
        let has_unplug = block.methods.iter().any(|method| method.ident == "unplug");
        let is_one = match hooks.subdevs.0.is_empty() && !has_unplug {
            true => {
                let text = "#runtime::__private::one_unplug((Self::unplug, <Self as #runtime::Unplug>::unplug));";
                tokens!(here, text, runtime)
            }
            false => Source::default(),
        };
        let lifetime = match lifetime(&block.options, this) {
            Some(lifetime) if !block.looks_up() => tokens!(here, "&#lifetime", lifetime),
            // An error already: who calls `unplug` need not hear of it.
            _ => tokens!(here, "#runtime::__private::any()", runtime),
        };
        let mut methods = Source::default();
        if let Some(hook) = &hooks.stop {
            let call = self.call(hook, true);
            let text = "fn stop(&#this, resources: &#resources, cause: #runtime::Cause) { #call }";
            put!(&mut methods, here, text, this, resources, runtime, call);
        }
        if let Some(hook) = &hooks.wake {
            let call = self.call(hook, false);
            put!(
                &mut methods,
                here,
                "fn wake(&#this, resources: &#resources) -> bool { #call true }",
                this,
                resources,
                call
            );
        }
        carried_over(&block.attributes, output);
        put!(
            output,
            here,
            "#[automatically_derived]
            impl #generics #runtime::Unplug for #self_ty #bounds {
                type Resources = #resources;
                fn lifetime(&#this) -> &#runtime::DeviceLifetime<#resources> { #is_one #lifetime }
                #methods
            }",
            generics,
            runtime,
            self_ty,
            bounds,
            resources,
            this,
            is_one,
            lifetime,
            methods,
        );
    }

    /// Calls a method of the driver's own, and never one of a trait.
    ///
    /// A path prefers inherent methods. Without one it finds the stand-in of this name, which is an error. Its context is an
    /// impl of its own, because in the one around it the methods of `Unplug` are in scope. The path is written by a macro of
    /// the runtime: rustc has nothing to suggest for source in another crate.
    fn call(&self, Hook(name): &Hook, is_stop: bool) -> Source {
        let Self { block, resources, claim: Claim { generics, self_ty, bounds }, .. } = self;
        let here = Span::mixed_site().located_at(name.span());
        let runtime = Runtime::of(&block.options).at(here);
        let this = Ident::new("self", here);
        let mut hook = name.clone();
        hook.set_span(here);
        let (cause, types, arguments) = match is_stop {
            true => (tokens!(here, "cause: #runtime::Cause", runtime), "A, B, C", "resources, cause"),
            false => (Source::default(), "A, B", "resources"),
        };
        let takes = if is_stop { "_: A, _: B, _: C" } else { "_: A, _: B" };
        let (types, takes, arguments) = (tokens!(here, types), tokens!(here, takes), tokens!(here, arguments));
        let text = "
            trait HookIsInherent<R> {
                fn __call(&#this, resources: &R, #cause);
                fn #hook<#types>(#takes) where Self: #runtime::__private::HasHook {}
            }
            impl #generics HookIsInherent<#resources> for #self_ty #bounds {
                fn __call(&#this, resources: &#resources, #cause) { #runtime::__private::inherent!(#hook)(#this, #arguments); }
            }
            HookIsInherent::__call(#this, #arguments);";
        tokens!(here, text, this, cause, hook, types, takes, runtime, generics, resources, self_ty, bounds, arguments)
    }

    /// A method `unplug` that has the subdevs in one group with the device. It stands before that of the trait.
    fn unplug_with_subdevs(&self, output: &mut Source) {
        if self.hooks.subdevs.0.is_empty() {
            return;
        }
        let Self { block, hooks, resources, claim: Claim { generics, self_ty, bounds }, here, this } = self;
        let (here, runtime) = (*here, self.runtime());
        // Called by its author, so it has the author's hygiene.
        let name = Ident::new("unplug", Span::call_site().located_at(here));
        let (mut children, mut theirs) = (Source::default(), Source::default());
        for (field, ty) in &hooks.subdevs.0 {
            put!(&mut children, here, "&#this.#field,", this, field);
            put!(&mut theirs, here, "<#ty as #runtime::Unplug>::Resources,", ty = Source::of(ty), runtime);
        }
        carried_over(&block.attributes, output);
        put!(
            output,
            here,
            "impl #generics #self_ty #bounds {
            #[doc = \" Unplugs the device and its subdevs as one, and returns the resources of each.\"]
            #[allow(dead_code, private_interfaces)]
            pub(crate) fn #name(&#this, cause: #runtime::Cause)
                -> ::core::result::Result<(#resources, (#theirs)), #runtime::UnplugError>
            {
                #runtime::Group::unplug_group((#this, (#children)), cause)
            }
        }",
            generics,
            self_ty,
            bounds,
            name,
            this,
            runtime,
            resources,
            theirs,
            children,
        );
    }
}
