// The HAPI FHIR client, for Java, against the server at the address given: all of it in JSON, then in XML.

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.api.MethodOutcome;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import ca.uhn.fhir.rest.client.api.ServerValidationModeEnum;
import ca.uhn.fhir.rest.gclient.TokenClientParam;
import ca.uhn.fhir.rest.server.exceptions.PreconditionFailedException;
import ca.uhn.fhir.rest.server.exceptions.ResourceGoneException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.CapabilityStatement;
import org.hl7.fhir.r4.model.CodeType;
import org.hl7.fhir.r4.model.Enumerations.AdministrativeGender;
import org.hl7.fhir.r4.model.Parameters;
import org.hl7.fhir.r4.model.Patient;
import org.hl7.fhir.r4.model.StringType;
import org.hl7.fhir.r4.model.Task;

public class HapiClient {
    static String system;

    public static void main(String[] arguments) {
        FhirContext context = FhirContext.forR4();
        context.getRestfulClientFactory().setServerValidationMode(ServerValidationModeEnum.ONCE);
        context.getRestfulClientFactory().setSocketTimeout(240_000); // Others use the machine meanwhile.
        for (EncodingEnum encoding : List.of(EncodingEnum.JSON, EncodingEnum.XML)) {
            IGenericClient client = context.newRestfulGenericClient(arguments[0]);
            client.setEncoding(encoding);
            system = "http://client.example/hapi-" + encoding;
            run(client, encoding.toString());
        }
    }

    static void run(IGenericClient client, String as) {
        CapabilityStatement statement = client.capabilities().ofType(CapabilityStatement.class).execute();
        check("4.0.1".equals(statement.getFhirVersion().toCode()), "fhirVersion");
        say("capabilities", as);

        MethodOutcome made = client.create().resource(patient("a", "Tolvansson")).execute();
        check(made.getCreated(), "created");
        String id = made.getId().getIdPart();
        Patient read = client.read().resource(Patient.class).withId(id).execute();
        check("Tolvansson".equals(read.getNameFirstRep().getFamily()), "read");
        read.setGender(AdministrativeGender.FEMALE);
        MethodOutcome updated = client.update().resource(read).execute();
        check(!updated.getId().getVersionIdPart().equals(made.getId().getVersionIdPart()), "a new version");
        Patient before = client.read().resource(Patient.class)
            .withIdAndVersion(id, made.getId().getVersionIdPart()).execute();
        check(before.getGender() == null, "vread");
        Patient stale = before.copy();
        stale.setGender(AdministrativeGender.OTHER);
        try {
            client.update().resource(stale).withId(id)
                .withAdditionalHeader("If-Match", "W/\"" + made.getId().getVersionIdPart() + "\"").execute();
            check(false, "the version is another");
        } catch (PreconditionFailedException told) {
            check(told.getOperationOutcome() != null, "an outcome");
        }
        say("create, read, update, vread, If-Match", as);

        for (int number = 0; number < 5; number++)
            client.create().resource(patient("page-" + number, "Pagesson")).execute();
        Bundle page = client.search().forResource(Patient.class)
            .where(Patient.FAMILY.matches().value("Pagesson"))
            .and(Patient.IDENTIFIER.hasSystemWithAnyCode(system))
            .sort().ascending(Patient.IDENTIFIER).count(2).returnBundle(Bundle.class).execute();
        check(page.getTotal() == 5, "total");
        List<String> found = new ArrayList<>();
        while (true) {
            page.getEntry().forEach(one -> found.add(((Patient) one.getResource()).getIdentifierFirstRep().getValue()));
            if (page.getLink(Bundle.LINK_NEXT) == null) break;
            page = client.loadPage().next(page).execute();
        }
        check(found.equals(List.of("page-0", "page-1", "page-2", "page-3", "page-4")), "pages: " + found);
        say("search with paging", as);

        MethodOutcome first = client.create().resource(patient("once", "Ensson"))
            .conditional().where(Patient.IDENTIFIER.exactly().systemAndIdentifier(system, "once")).execute();
        MethodOutcome again = client.create().resource(patient("once", "Ensson"))
            .conditional().where(Patient.IDENTIFIER.exactly().systemAndIdentifier(system, "once")).execute();
        check(first.getId().getIdPart().equals(again.getId().getIdPart()), "the same one");
        MethodOutcome changed = client.update().resource(patient("once", "Ensdotter"))
            .conditional().where(Patient.IDENTIFIER.exactly().systemAndIdentifier(system, "once")).execute();
        check(first.getId().getIdPart().equals(changed.getId().getIdPart()), "conditional update");
        say("conditional create and update", as);

        String uuid = "urn:uuid:11111111-1111-4111-8111-111111111111";
        Bundle bundle = new Bundle().setType(Bundle.BundleType.TRANSACTION);
        bundle.addEntry().setFullUrl(uuid).setResource(patient("transaction", "Transaktionsson"))
            .getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Patient");
        Task task = new Task().setStatus(Task.TaskStatus.REQUESTED).setIntent(Task.TaskIntent.ORDER);
        task.getFor().setReference(uuid);
        bundle.addEntry().setResource(task).getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Task");
        Bundle answer = client.transaction().withBundle(bundle).execute();
        check(answer.getEntry().stream().allMatch(one -> one.getResponse().getStatus().startsWith("201")), "201");
        Bundle tasks = client.search().forResource(Task.class)
            .where(new TokenClientParam("patient.identifier").exactly().systemAndCode(system, "transaction"))
            .include(Task.INCLUDE_PATIENT).returnBundle(Bundle.class).execute();
        check(tasks.getEntry().size() == 2, "the task and its patient");
        say("transaction", as);

        client.patch().withBody("[{\"op\": \"replace\", \"path\": \"/gender\", \"value\": \"male\"}]")
            .withId("Patient/" + id).execute();
        check(gender(client, id) == AdministrativeGender.MALE, "JSON Patch");
        Parameters parameters = new Parameters();
        Parameters.ParametersParameterComponent operation = parameters.addParameter().setName("operation");
        operation.addPart().setName("type").setValue(new CodeType("replace"));
        operation.addPart().setName("path").setValue(new StringType("Patient.gender"));
        operation.addPart().setName("value").setValue(new CodeType("other"));
        client.patch().withFhirPatch(parameters).withId("Patient/" + id).execute();
        check(gender(client, id) == AdministrativeGender.OTHER, "FHIRPath Patch");
        say("patch", as);

        Bundle history = client.history().onInstance("Patient/" + id).returnBundle(Bundle.class).execute();
        check(history.getEntry().size() == 4, "four versions");
        check(Objects.equals(history.getEntry().get(3).getRequest().getMethod(), Bundle.HTTPVerb.POST), "oldest last");
        check(!client.history().onType(Patient.class).returnBundle(Bundle.class).execute().isEmpty(), "of the type");
        check(!client.history().onServer().returnBundle(Bundle.class).execute().isEmpty(), "of all");
        say("history of a resource, a type, all", as);

        client.delete().resourceById("Patient", id).execute();
        try {
            client.read().resource(Patient.class).withId(id).execute();
            check(false, "what was deleted can be read");
        } catch (ResourceGoneException told) {
            check(told.getOperationOutcome() != null, "an outcome");
        }
        say("delete", as);
    }

    static AdministrativeGender gender(IGenericClient client, String id) {
        return client.read().resource(Patient.class).withId(id).execute().getGender();
    }

    static Patient patient(String value, String family) {
        Patient made = new Patient();
        made.addIdentifier().setSystem(system).setValue(value);
        made.addName().setFamily(family).addGiven("Tolvan");
        return made;
    }

    static void say(String step, String as) {
        System.out.println(step + " (" + as + ")");
    }

    static void check(boolean holds, String what) {
        if (!holds) throw new AssertionError(what);
    }
}
