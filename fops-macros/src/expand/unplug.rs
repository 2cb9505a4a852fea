//! The unplug routine of the device: the impls of `Device`, with its hooks, and of `Unpluggable`, with its subdevs.

use proc_macro2::{Ident, Span};

use super::{
    Claim, Runtime, carried_over, lifetime,
    template::{put, tokens},
};
use crate::{
    args::{Escapes, Hook, UnplugHooks},
    model::Block,
    source::{Source, contains},
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
        claim: Claim::of_device(block),
        here,
        this: Ident::new("self", here),
    };
    routine.device(output);
    routine.unplug(output);
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

    /// `impl Device`: where the lifetime is, and the driver's hooks.
    fn device(&self, output: &mut Source) {
        let Self { block, hooks, resources, claim: Claim { generics, self_ty, bounds }, here, this } = self;
        let (here, runtime) = (*here, self.runtime());
        let lifetime = match lifetime(&block.options, this) {
            Some(lifetime) if !block.looks_up() => tokens!(here, "&#lifetime", lifetime),
            // An error already: who calls `unplug` need not hear of it.
            _ => tokens!(here, "#runtime::__private::any()", runtime),
        };
        let mut methods = Source::default();
        if let Some(hook) = &hooks.stop {
            let call = self.call(hook, true);
            let text = "fn stop(&#this, __resources: &#resources, __cause: #runtime::Cause) { #call }";
            put!(&mut methods, here, text, this, resources, runtime, call);
        }
        if let Some(hook) = &hooks.wake {
            let call = self.call(hook, false);
            let text = "fn wake(&#this, __resources: &#resources) -> bool { #call true }";
            put!(&mut methods, here, text, this, resources, call);
        }
        if let Some(Escapes(choice)) = &hooks.escapes {
            let text = "fn on_escape(&#this) -> #runtime::OnEscape { #runtime::OnEscape::#choice }";
            put!(&mut methods, here, text, this, runtime, choice);
        }
        carried_over(&block.attributes, output);
        put!(
            output,
            here,
            "#[automatically_derived]
            impl #generics #runtime::Device for #self_ty #bounds {
                type Resources = #resources;
                fn lifetime(&#this) -> &#runtime::DeviceLifetime<#resources> { #lifetime }
                fn handles(&#this, __resources: &#resources, __handles: &mut #runtime::Handles<'_>) {
                    #runtime::__private::Field::new(__resources).handles(__handles);
                }
                #methods
            }",
            generics,
            runtime,
            self_ty,
            bounds,
            resources,
            this,
            lifetime,
            methods,
        );
    }

    /// `impl Unpluggable`: what is unplugged with the device, and the proof that `unplug` has one meaning.
    fn unplug(&self, output: &mut Source) {
        let Self { block, hooks, resources, claim: Claim { generics, self_ty, bounds }, here, this } = self;
        let (here, runtime) = (*here, self.runtime());
        let (mut resources, mut parts) = (resources.clone(), tokens!(here, "#runtime::Part::of(#this)", runtime, this));
        if !hooks.subdevs.0.is_empty() {
            let (mut theirs, mut children) = (Source::default(), Source::default());
            for (field, ty) in &hooks.subdevs.0 {
                put!(
                    &mut theirs,
                    here,
                    "::core::option::Option<<#ty as #runtime::Unpluggable>::Resources>,",
                    ty = Source::of(ty),
                    runtime
                );
                put!(&mut children, here, "#runtime::Part::child(&#this.#field),", runtime, this, field);
            }
            resources = tokens!(here, "(#resources, (#theirs))", resources, theirs);
            parts = tokens!(here, "(#parts, (#children))", parts, children);
        }
        // One in this block is an error already.
        let has_unplug = block.has_method("unplug");
        let text = "#runtime::__private::unplug_is_one!();";
        let is_one = if has_unplug { Source::default() } else { tokens!(here, text, runtime) };
        carried_over(&block.attributes, output);
        put!(
            output,
            here,
            "#[automatically_derived]
            impl #generics #runtime::Unpluggable for #self_ty #bounds {
                type Resources = #resources;
                fn parts(&#this) -> impl #runtime::Parts<Resources = Self::Resources> { #is_one #parts }
            }",
            generics,
            runtime,
            self_ty,
            bounds,
            resources,
            this,
            is_one,
            parts,
        );
    }

    /// Calls a method of the driver's own, and never one of a trait.
    ///
    /// A path prefers inherent methods. Without one it finds the stand-in of this name, which is an error. Its context is an
    /// impl of its own, because in the one around it the methods of `Device` are in scope. The path is written by a macro of
    /// the runtime: rustc has nothing to suggest for source in another crate.
    fn call(&self, Hook(name): &Hook, is_stop: bool) -> Source {
        let Self { block, resources, claim: Claim { generics, self_ty, bounds }, .. } = self;
        let here = Span::mixed_site().located_at(name.span());
        let runtime = Runtime::of(&block.options).at(here);
        let this = Ident::new("self", here);
        let mut hook = name.clone();
        hook.set_span(here);
        let (call, cause, takes, arguments) = match is_stop {
            true => ("stop", "__cause: #runtime::Cause", "_: &Self, _: &R, _: #runtime::Cause", "__resources, __cause"),
            false => ("wake", "", "_: &Self, _: &R", "__resources"),
        };
        let of_runtime = |text: &str| match contains(text, "#runtime") {
            true => tokens!(here, text, runtime),
            false => tokens!(here, text),
        };
        let (cause, takes, arguments) = (of_runtime(cause), of_runtime(takes), of_runtime(arguments));
        let call = Ident::new(call, here);
        let text = "
            trait HookIsInherent<R> {
                fn __call(&#this, __resources: &R, #cause);
                fn #hook(#takes) where Self: #runtime::__private::HasHook {}
            }
            impl #generics HookIsInherent<#resources> for #self_ty #bounds {
                fn __call(&#this, __resources: &#resources, #cause) {
                    #runtime::__private::#call(#this, #arguments, #runtime::__private::inherent!(#hook));
                }
            }
            HookIsInherent::__call(#this, #arguments);";
        tokens!(here, text, this, cause, hook, takes, runtime, generics, resources, self_ty, bounds, call, arguments)
    }
}
